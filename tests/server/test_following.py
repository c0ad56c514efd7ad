"""Servers on one database: what a caller finds at one that follows."""

import threading
from datetime import timedelta

import pytest

from cipherlens.client.cli.dev_certificates import Authority
from cipherlens.server.access import TokenFile, issue, permissions_of
from cipherlens.server.config import IvfSettings, TlsListener
from cipherlens.server.engine.following import Follower
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.ports import free_port


@pytest.fixture(scope="module")
def transport(each_transport):
    return each_transport


@pytest.fixture
def pair(make_cloud, address):
    """The server that leads, and one that follows it."""
    leader = make_cloud(follow=True, database=address)
    return leader, make_cloud(follow=True, database=address)


def test_what_is_written_at_the_one_is_found_at_both(pair, vectors, gaussian):
    leader, follower = pair
    follower.create()
    written = follower.index(["a", "b"], vectors=vectors(gaussian(2)))
    assert (written.sequence, written.written_count) == (2, 2)
    for each in pair:
        assert each.ids_found(vectors=vectors(gaussian(2)), k=1) == [["a"], ["b"]]
    assert follower.delete(["a"]).deleted_count == 1
    for each in (leader, follower):
        assert each.ids_found(vectors=vectors(gaussian(1))) == [["b"]]
        assert each.listed() == ["b"]
    follower.stub.DeleteCollection(pb.DeleteCollectionRequest(name="v"), timeout=20)
    assert follower.state() == leader.state()


def test_what_a_caller_has_seen_is_looked_for_and_nothing_is_waited_for(pair, vectors, gaussian):
    leader, follower = pair
    leader.create()
    assert follower.collection().sequence == 0
    follower.engine.role.stop_following()  # it looks when it is asked to, and not by itself
    leader.index(["a"], vectors=vectors(gaussian(1)))
    query = vectors(gaussian(1))
    count = follower.stub.Count
    assert follower.ids_found(vectors=query) == [[]]
    assert count(pb.CountRequest(collection="v"), timeout=20).item_count == 0
    assert follower.ids_found(vectors=query, seen_sequence=1) == [["a"]]
    leader.index(["b"], vectors=vectors(-gaussian(1)))
    assert count(pb.CountRequest(collection="v"), timeout=20).item_count == 1
    request = pb.CountRequest(collection="v", seen_sequence=10**9)
    assert count(request, timeout=20).item_count == 2
    for each in pair:
        assert each.ids_found(vectors=query, seen_sequence=10**9) == [["a", "b"]]


def test_a_model_is_passed_on_and_serves_at_both(
    pair, checkpoint, cipher_profile, cipher_images, failure
):
    leader, follower = pair
    follower.create_ciphers(cipher_profile())
    follower.push(checkpoint(), "e")
    follower.index(["a"], "e", cipher_images=cipher_images(1))
    for each in pair:
        assert each.ids_found("e", cipher_images=cipher_images(1)) == [["a"]]
    told = [failure(each.push, checkpoint(seed=1), "e", size=5)[:2] for each in pair]
    assert told[0] == told[1]
    assert told[0][0].name == "INVALID_ARGUMENT"
    assert follower.state() == leader.state()


def test_a_server_in_another_folder_has_the_models_of_the_database(
    make_cloud, postgres, checkpoint, cipher_profile, cipher_images
):
    address = postgres.new_database()
    leader = make_cloud(follow=True, database=address)
    leader.create_ciphers(cipher_profile())
    leader.push(checkpoint(), "e")
    leader.index(["a"], "e", cipher_images=cipher_images(1))
    other = make_cloud("other", follow=True, database=address)
    assert other.ids_found("e", cipher_images=cipher_images(1)) == [["a"]]
    other.push(checkpoint(seed=1), "e")
    other.index(["b"], "e", cipher_images=cipher_images(1, seed=1))
    for each in (leader, other):
        (found,) = each.ids_found("e", cipher_images=cipher_images(1))
        assert found[0] == "a"


def test_machines_that_trained_their_lists_at_other_times_find_as_much(
    make_cloud, postgres, vectors, gaussian, settled
):
    settings = {
        "follow": True,
        "database": postgres.new_database(),
        "ivf": IvfSettings(minimum_rows=800, calibration_queries=200),
    }
    rows, ids, queries = gaussian(1500), [f"i{n:04}" for n in range(1500)], gaussian(200, seed=1)
    first = make_cloud("first", **settings)
    first.create()
    first.index(ids[:900], vectors=vectors(rows[:900]))
    settled(lambda: first.collection().index.nlist)
    first.index(ids[900:], vectors=vectors(rows[900:]))
    second = make_cloud("second", **settings)
    settled(lambda: second.collection().index.nlist)
    assert first.collection().index.nlist != second.collection().index.nlist
    truth, also = (
        each.ids_found(vectors=vectors(queries), parameters=pb.SearchParameters(exact=True))
        for each in (first, second)
    )
    assert truth == also
    for each in (first, second):
        found = each.ids_found(vectors=vectors(queries))
        hits = sum(len(set(a) & set(b)) for a, b in zip(found, truth, strict=True))
        # .99 is promised; that 2,000 hits lack a twentieth by chance is out of reach.
        assert hits > 0.95 * 2000


def test_a_refusal_is_that_of_the_one_that_leads(pair, vectors, gaussian, failure):
    _, follower = pair
    follower.create()
    code, _, details = failure(follower.create)
    assert (code.name, details["ErrorInfo"].reason) == ("ALREADY_EXISTS", "ALREADY_EXISTS")
    code, _, details = failure(follower.index, ["a"], vectors=vectors(gaussian(1, 8)))
    assert (code.name, details["ErrorInfo"].metadata["field"]) == (
        "INVALID_ARGUMENT",
        "vectors.dimension",
    )


def test_while_nobody_leads_changes_are_refused_and_reads_answered(
    pair, vectors, gaussian, failure, monkeypatch
):
    leader, follower = pair
    follower.create()
    follower.index(["a"], vectors=vectors(gaussian(1)))
    monkeypatch.setattr(type(follower.engine._database), "try_to_lead", lambda _: False)
    leader.stop()
    code, _, details = failure(follower.index, ["b"], vectors=vectors(gaussian(1)))
    assert (code.name, details["ErrorInfo"].reason) == ("UNAVAILABLE", "NOT_LEADING")
    assert details["RetryInfo"].retry_delay.nanos == 500_000_000
    assert follower.ids_found(vectors=vectors(gaussian(1))) == [["a"]]


def test_one_takes_over_and_the_first_follows_it_when_it_is_back(
    pair, vectors, gaussian, monkeypatch
):
    leader, follower = pair
    led = threading.Event()
    lead = Follower._lead
    monkeypatch.setattr(Follower, "_lead", lambda each: (lead(each), led.set()))
    follower.create()
    follower.index(["a"], vectors=vectors(gaussian(1)))
    leader.stop()
    assert led.wait(30)
    follower.index(["b"], vectors=vectors(-gaussian(1)))
    leader.start()
    leader.index(["c"], vectors=vectors(gaussian(2)[1:]))
    for each in pair:
        (found,) = each.ids_found(vectors=vectors(gaussian(1)))
        assert sorted(found) == ["a", "b", "c"]


def test_the_token_goes_along_and_is_judged_at_both(
    make_cloud, tmp_path, vectors, gaussian, failure
):
    tokens = []
    for name, scopes in (("root", ("server", "admin:*")), ("writer", ("index:v",))):
        allowed = [each for text in scopes for each in permissions_of(text)]
        token, record = issue(name, allowed, timedelta(days=1))
        TokenFile.of(tmp_path / "data", None).add(record)
        tokens.append([("authorization", f"Bearer {token}")])
    root, writer = tokens
    make_cloud(follow=True)
    stub = make_cloud(follow=True).stub
    kind = collection_pb2.COLLECTION_KIND_VECTOR
    for name in ("v", "w"):
        request = pb.CreateCollectionRequest(name=name, kind=kind, dimension=16)
        stub.CreateCollection(request, metadata=root, timeout=20)
    request = pb.IndexRequest(
        collection="v", items=[pb.IndexItem(item_id="a", revision=1)], vectors=vectors(gaussian(1))
    )
    assert stub.Index(request, metadata=writer, timeout=20).sequence == 1
    assert failure(stub.Index, request, timeout=20)[0].name == "UNAUTHENTICATED"
    request.collection = "w"
    code, text, _ = failure(stub.Index, request, metadata=writer, timeout=20)
    assert (code.name, "'writer'" in text) == ("PERMISSION_DENIED", True)


def test_the_deadline_goes_along(pair, vectors, gaussian, failure):
    leader, follower = pair
    follower.create()
    (live,) = leader.engine._registry.listed()
    with live.writing:  # so that it waits there
        code, _, _ = failure(follower.index, ["a"], vectors=vectors(gaussian(1)), timeout=0.5)
        assert code.name == "DEADLINE_EXCEEDED"
        while any(leader.server._admission.under_way.values()):  # until it is told there, too
            threading.Event().wait(0.01)
    assert follower.index(["c"], vectors=vectors(gaussian(1))).sequence == 1


def test_changes_go_to_another_machine_by_tls(
    make_cloud, postgres, tmp_path, vectors, gaussian, failure
):
    authority = Authority(1)
    made = authority.server(["localhost"])
    for name, data in (("ca.pem", authority.certificate), ("s.pem", made.certificate)):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "s.key").write_bytes(made.key)
    tls = TlsListener(listen="127.0.0.1:0", certificate=tmp_path / "s.pem", key=tmp_path / "s.key")
    settings = {"follow": True, "database": postgres.new_database(), "tls": tls}
    leader = make_cloud(follow_listen=f"localhost:{free_port()}", **settings)
    leader.create()
    other = make_cloud("other", follow_ca=tmp_path / "ca.pem", **settings)
    other.index(["a"], vectors=vectors(gaussian(1)))
    assert leader.ids_found(vectors=vectors(gaussian(1))) == [["a"]]
    stranger = make_cloud("third", follow_ca=tmp_path / "none.pem", **settings)
    code, _, details = failure(stranger.index, ["b"], vectors=vectors(gaussian(1)))
    assert (code.name, details["ErrorInfo"].reason) == ("UNAVAILABLE", "NOT_LEADING")
    _, _, details = failure(make_cloud("fourth", **settings).create, "w")
    assert details["ErrorInfo"].reason == "NOT_LEADING"  # whose certificate is not known here
