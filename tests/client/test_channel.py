import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from cipherlens.client import (
    AlreadyExists,
    Client,
    DeadlineExceeded,
    Deadlines,
    InvalidArgument,
    ResourceExhausted,
    Unavailable,
    Unimplemented,
)
from cipherlens.client.channel import invoke
from cipherlens.v1 import retrieval_service_pb2 as messages
from tests.client.refusals import BUSY, STOPPING, failing

OK = messages.ListModelsResponse()


def test_an_error_carries_code_reason_and_metadata(scripted) -> None:
    info = error_details_pb2.ErrorInfo(
        reason="LIMIT_EXCEEDED", domain="cipherlens", metadata={"field": "k", "limit": "1000"}
    )
    scripted.will("ListModels", failing(grpc.StatusCode.INVALID_ARGUMENT, "k: too large", info))
    with Client(scripted.target) as client, pytest.raises(InvalidArgument) as caught:
        client.list_models()
    error = caught.value
    assert (str(error), error.code) == ("k: too large", grpc.StatusCode.INVALID_ARGUMENT)
    assert (error.reason, error.metadata) == ("LIMIT_EXCEEDED", {"field": "k", "limit": "1000"})
    assert error.retry_after_s is None


def test_an_error_without_details_is_still_of_its_class(scripted) -> None:
    scripted.will("ListModels", lambda context: context.abort(grpc.StatusCode.UNIMPLEMENTED, ""))
    with Client(scripted.target) as client, pytest.raises(Unimplemented) as caught:
        client.list_models()
    assert (str(caught.value), caught.value.reason) == ("unimplemented", "")


def test_details_that_are_no_status_leave_the_error_as_it_is(scripted) -> None:
    def refuse(context: grpc.ServicerContext) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff"),))
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "said")

    scripted.will("ListModels", refuse)
    with Client(scripted.target) as client, pytest.raises(Unimplemented, match="said") as caught:
        client.list_models()
    assert caught.value.reason == ""


def test_a_busy_server_is_asked_again(scripted) -> None:
    scripted.will("ListModels", BUSY, BUSY, OK)
    with Client(scripted.target) as client:
        assert client.list_models() == []
    assert len(scripted.calls("ListModels")) == 3


def test_a_server_that_stays_busy_is_given_up(scripted) -> None:
    scripted.will("ListModels", *[BUSY] * 9)
    with Client(scripted.target) as client, pytest.raises(ResourceExhausted) as caught:
        client.list_models()
    assert caught.value.retry_after_s == pytest.approx(0.001)
    assert len(scripted.calls("ListModels")) == 5


def test_exhausted_without_a_word_of_waiting_is_final(scripted) -> None:
    scripted.will("ListModels", failing(grpc.StatusCode.RESOURCE_EXHAUSTED, "message too large"))
    with Client(scripted.target) as client, pytest.raises(ResourceExhausted):
        client.list_models()
    assert len(scripted.calls("ListModels")) == 1


def test_the_wait_for_a_busy_server_ends_at_the_deadline() -> None:
    waits = []
    later = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=9))

    class Failed(grpc.RpcError, grpc.Call):
        def code(self):
            return grpc.StatusCode.RESOURCE_EXHAUSTED

        def details(self):
            return "busy"

        def trailing_metadata(self):
            detail = any_pb2.Any()
            detail.Pack(later)
            status = status_pb2.Status(code=8, message="busy", details=[detail])
            return rpc_status.to_status(status).trailing_metadata

        initial_metadata = is_active = time_remaining = cancel = add_callback = None

    def method(request, timeout=None):
        raise Failed

    Failed.__abstractmethods__ = frozenset()
    with pytest.raises(ResourceExhausted):
        invoke(method, None, 1.0, waits.append)
    assert waits == []


@pytest.mark.parametrize("size", [10, 3 * 2**20])
def test_a_batch_that_found_no_server_is_sent_again_the_same(scripted, size: int) -> None:
    scripted.will("GetServerInfo", _info())
    scripted.will("Index", STOPPING, messages.IndexResponse(sequence=5, written_count=1))
    with Client(scripted.target) as client:
        result = client.index_vectors("v", ["i" * 3], [[1.0] * (size // 4)])
    assert result.sequence == 5
    first, second = scripted.calls("Index")
    assert first == second


def test_making_a_collection_is_not_repeated(scripted) -> None:
    scripted.will("CreateCollection", STOPPING)
    with Client(scripted.target) as client, pytest.raises(Unavailable):
        client.create_vector_collection("v", 4)
    assert len(scripted.calls("CreateCollection")) == 1


def test_already_there(scripted) -> None:
    scripted.will("CreateCollection", failing(grpc.StatusCode.ALREADY_EXISTS, "taken"))
    with Client(scripted.target) as client, pytest.raises(AlreadyExists, match="taken"):
        client.create_code_collection("c", 48)


def test_an_answer_that_does_not_come(scripted) -> None:
    scripted.will("ListModels", lambda context: context.time_remaining() and _wait(context))
    with Client(scripted.target) as client, pytest.raises(DeadlineExceeded):
        client.list_models(timeout_s=0.2)


def test_nobody_listens() -> None:
    with Client("127.0.0.1:1", deadlines=Deadlines(quick_s=1)) as client:
        with pytest.raises(Unavailable, match=r"no server answers at 127\.0\.0\.1:1 within 0\.1 s"):
            client.wait_until_reachable(0.1)
        with pytest.raises((Unavailable, DeadlineExceeded)):
            client.list_models()


def test_a_deadline_is_above_zero() -> None:
    with pytest.raises(ValueError, match="search_s must be above 0, got 0"):
        Deadlines(search_s=0)


def _wait(context: grpc.ServicerContext) -> messages.ListModelsResponse:
    """Answer when the caller has gone."""
    import threading

    gone = threading.Event()
    context.add_callback(gone.set)
    gone.wait(10)
    return OK


def _info() -> messages.GetServerInfoResponse:
    """Return a server's description with usual limits."""
    limits = messages.Limits(
        max_message_bytes=32 * 2**20, max_batch_items=1024, max_queries=1024, max_sealed_bytes=2**24
    )
    return messages.GetServerInfoResponse(limits=limits)
