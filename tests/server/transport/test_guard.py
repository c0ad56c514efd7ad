"""The guard, without a transport: credentials, admission, failures as statuses."""

from contextlib import ExitStack
from typing import ClassVar

import pytest
from google.rpc import code_pb2

from cipherlens.server.access import OPEN_GATE, Permission, Principal
from cipherlens.server.call import Call
from cipherlens.server.errors import NotFound, Unauthenticated
from cipherlens.server.transport import CODES, Admission, Guard, Refusal, service_of
from cipherlens.v1 import retrieval_service_pb2 as pb


class NamedGate:
    """A gate that takes a name for a token; readers may search one collection, writers all."""

    MAY: ClassVar = {"r": ["search:photos"], "w": ["search:*", "index:*", "fetch:*"]}

    def caller(self, metadata):
        name = dict(metadata).get("authorization", "").removeprefix("Bearer ")
        if name not in self.MAY:
            raise Unauthenticated("a token is needed")
        return Principal(name, map(Permission.parse, self.MAY[name]))

    def callers(self, metadata):
        return [self._caller_or_stranger(each) for each in metadata]

    def _caller_or_stranger(self, metadata):
        try:
            return self.caller(metadata)
        except Unauthenticated:
            return None


class Answering:
    """Behaviours of RetrievalService that only tell that they were called."""

    together: ClassVar = {}
    writes: ClassVar = {"Index"}

    def __init__(self):
        self.called = []

    def __getattr__(self, name):
        def behaviour(request, call):
            self.called.append(name)
            if name == "GetCollection":
                raise NotFound("collection", request.name)
            return [name] if name == "Fetch" else name

        return behaviour


DESCRIPTOR = pb.DESCRIPTOR.services_by_name["RetrievalService"]


def guarded(name, **settings):
    """Return a method behind a guard, and what was called."""
    behaviours = Answering()
    (method,) = [m for m in service_of(DESCRIPTOR, behaviours).methods if m.name == name]
    guard = Guard(settings.pop("admission", Admission(1)), CODES, **settings)
    return guard.guarded(method), behaviours.called


def shown(token):
    return [("authorization", f"Bearer {token}")]


def bearing(token):
    return Call(metadata=lambda: shown(token))


@pytest.mark.parametrize(
    ("name", "call", "code"),
    [
        ("Search", Call(), code_pb2.UNAUTHENTICATED),
        ("Search", bearing("x"), code_pb2.UNAUTHENTICATED),
        ("Index", bearing("r"), code_pb2.PERMISSION_DENIED),
        ("Fetch", bearing("r"), code_pb2.PERMISSION_DENIED),
        ("Search", bearing("r"), None),
        ("Index", bearing("w"), None),
        ("Fetch", bearing("w"), None),
    ],
)
def test_a_gate_stands_in_front_of_every_method(name, call, code):
    behaviour, called = guarded(name, gate=NamedGate())
    request = pb.SearchRequest(collection="photos")
    if code is None:
        assert list(behaviour(request, call)) == ([name] if name == "Fetch" else [*name])
        assert called == [name]
        return
    with pytest.raises(Refusal) as caught:
        list(behaviour(request, call))
    assert caught.value.status.code == code
    assert called == []


def test_a_call_too_many_is_refused_and_the_place_given_back():
    admission = Admission(1)
    behaviour, _ = guarded("Search", admission=admission)
    with admission.reads, pytest.raises(Refusal) as caught:
        behaviour(pb.SearchRequest(), Call())
    assert caught.value.status.code == code_pb2.RESOURCE_EXHAUSTED
    assert behaviour(pb.SearchRequest(), Call()) == "Search"
    admission.stop()
    with pytest.raises(Refusal) as caught:
        behaviour(pb.SearchRequest(), Call())
    assert caught.value.status.code == code_pb2.UNAVAILABLE


@pytest.mark.parametrize(
    ("waiting", "refused", "taken"), [("reads", "Search", "Index"), ("writes", "Index", "Search")]
)
def test_neither_reads_nor_writes_keep_out_the_others(waiting, refused, taken):
    admission = Admission(8)
    with ExitStack() as under_way:
        for _ in range(6):
            under_way.enter_context(getattr(admission, waiting))
        behaviour, _ = guarded(refused, admission=admission)
        with pytest.raises(Refusal) as caught:
            behaviour(pb.SearchRequest(), Call())
        assert caught.value.status.code == code_pb2.RESOURCE_EXHAUSTED
        assert "6 " in caught.value.status.message
        behaviour, called = guarded(taken, admission=admission)
        assert behaviour(pb.SearchRequest(), Call()) == taken
    assert called == [taken]


def test_all_places_can_be_taken_by_both_together():
    admission = Admission(4)
    with admission.reads, admission.reads, admission.writes, admission.writes:
        behaviour, _ = guarded("Search", admission=admission)
        with pytest.raises(Refusal) as caught:
            behaviour(pb.SearchRequest(), Call())
        assert caught.value.status.message.startswith("4 calls are under way")


def test_a_failure_leaves_as_its_status():
    behaviour, called = guarded("GetCollection")
    with pytest.raises(Refusal) as caught:
        behaviour(pb.GetCollectionRequest(name="x"), Call())
    assert (caught.value.status.code, called) == (code_pb2.NOT_FOUND, ["GetCollection"])


def failing(call):
    """Return the status of a call that fails unexpectedly."""
    behaviours = Answering()
    behaviours.Search = lambda _request, _call: 1 / 0
    (method,) = [m for m in service_of(DESCRIPTOR, behaviours).methods if m.name == "Search"]
    with pytest.raises(Refusal) as caught:
        Guard(Admission(1), CODES).guarded(method)(pb.SearchRequest(), call)
    return caught.value.status


@pytest.mark.parametrize("is_there", [True, False])
def test_an_unexpected_failure_is_logged_with_method_peer_and_id(caplog, is_there):
    told = iter([True])  # it is gone only once the work has begun
    call = Call(
        metadata=lambda: [("x-request-id", "abc-1")],
        peer=lambda: "ipv4:10.0.0.7:5",
        is_active=lambda: next(told, is_there),
    )
    status = failing(call)
    assert status.message.endswith("the server's log has the details under request abc-1")
    (record,) = caplog.records
    assert record.getMessage() == (
        "cipherlens.v1.RetrievalService/Search from ipv4:10.0.0.7:5 failed, request abc-1"
    )
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "line\nforged"])
def test_an_id_that_is_none_is_replaced(caplog, given):
    number = failing(Call(metadata=lambda: [("x-request-id", given)])).message.split()[-1]
    assert len(number) == 32
    assert (
        caplog.records[0].getMessage().endswith(f"from an unknown caller failed, request {number}")
    )


def test_a_call_whose_deadline_passed_in_a_queue_is_not_begun():
    behaviour, called = guarded("Search")
    with pytest.raises(Refusal) as caught:
        behaviour(pb.SearchRequest(), Call.within(0))
    assert (caught.value.status.code, called) == (code_pb2.DEADLINE_EXCEEDED, [])


def test_a_service_that_lacks_a_method_is_found_out_at_once():
    with pytest.raises(AttributeError, match="GetServerInfo"):
        service_of(DESCRIPTOR, object())


def where_allowed(requests, may):
    """Answer each request that its caller may ask of the collection "photos"."""
    return [
        b"answer" if may is None or may(position, "photos") else None
        for position, _ in enumerate(requests)
    ]


def shared(gate=OPEN_GATE, admission=None, answer=where_allowed):
    """Return a search behind a guard that answers several requests together."""
    behaviours = Answering()
    behaviours.together = {"Search": answer}
    (method,) = [m for m in service_of(DESCRIPTOR, behaviours).methods if m.name == "Search"]
    return Guard(admission or Admission(1), CODES, gate).together(method)


def test_calls_together_are_let_in_as_calls_alone_are():
    together, sound = shared(NamedGate()), shown("r")
    assert together([b"1", b"2"], lambda: [sound, sound]) == [b"answer", b"answer"]
    assert together([b"1", b"2"], lambda: [sound, shown("x")]) == [b"answer", None]
    assert together([b"1"], lambda: [()]) == [None]


def test_what_strangers_send_is_not_looked_at():
    seen = []

    def noting(requests, may):
        seen.extend(requests)
        return [b"answer"] * len(requests)

    calls = [shown("x"), shown("r"), ()]
    assert shared(NamedGate(), answer=noting)([b"1", b"2", b"3"], lambda: calls) == [
        *(None, b"answer", None)
    ]
    assert seen == [b"2"]


def test_calls_together_may_ask_only_of_the_collections_of_their_callers():
    def elsewhere(requests, may):
        return [b"answer" if may(place, "others") else None for place, _ in enumerate(requests)]

    together = shared(NamedGate(), answer=elsewhere)
    assert together([b"1", b"2"], lambda: [shown("r"), shown("w")]) == [None, b"answer"]


def test_calls_together_are_left_to_be_refused_before_it_is_open_and_at_the_end():
    admission = Admission(1, is_open=False)
    together = shared(admission=admission)
    assert together([b"1"], lambda: [()]) == [None]
    admission.open()
    assert together([b"1"], lambda: [()]) == [b"answer"]
    admission.stop()
    assert together([b"1"], lambda: [()]) == [None]


def test_a_failure_of_calls_together_is_left_to_show_whose_it_is():
    def failing(requests, may):
        raise RuntimeError("one of them is wrong")

    assert shared(answer=failing)([b"1", b"2"], lambda: [(), ()]) == [None, None]


def test_a_method_without_it_has_no_way_together():
    (method,) = [m for m in service_of(DESCRIPTOR, Answering()).methods if m.name == "Index"]
    assert Guard(Admission(1), CODES).together(method) is None
