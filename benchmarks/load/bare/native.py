"""The lower layer of pygrpc-native, each batch of calls answered by one FAISS call."""

from typing import Any

from pygrpc_native import NativeGrpcFront

from benchmarks.load.bare.search import Answer
from cipherlens.v1 import retrieval_service_pb2 as pb

_CALLS_AT_ONCE = 64


def front() -> Any:
    """Return what listens on a free port of loopback."""
    methods = [("/cipherlens.v1.RetrievalService/Search", False)]
    made = NativeGrpcFront("127.0.0.1:0", methods, io_threads=1, call_details=True)
    made.start()
    return made


def serve_search(front: Any, answer: Answer) -> None:
    """Answer searches until the front is closed."""
    while (events := front.recv_batch_details(_CALLS_AT_ONCE)) is not None:
        calls = [(each[1], pb.SearchRequest.FromString(each[3])) for each in events if not each[0]]
        if not calls:  # all that came were cancellations
            continue
        answers = answer([request for _, request in calls])
        for (call_id, _), response in zip(calls, answers, strict=True):
            front.respond(call_id, response.SerializeToString())


def serve_empty(front: Any, answer: bytes) -> None:
    """Give one answer to every call until the front is closed."""
    while (events := front.recv_batch_details(_CALLS_AT_ONCE)) is not None:
        for each in events:
            front.respond(each[1], answer)
