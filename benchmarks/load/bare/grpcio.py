"""A servicer on grpcio whose every call is one FAISS call."""

from concurrent.futures import ThreadPoolExecutor

import grpc

from benchmarks.load.bare.search import Answer
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import (
    RetrievalServiceServicer,
    add_RetrievalServiceServicer_to_server,
)

_THREADS = 4


class _Bare(RetrievalServiceServicer):
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def Search(  # noqa: N802
        self,
        request: pb.SearchRequest,
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> pb.SearchResponse:
        """Return the hits of one request."""
        return self._answer([request])[0]


def start(answer: Answer, credentials: grpc.ServerCredentials | None) -> tuple[grpc.Server, int]:
    """Return a server that listens on a free port of loopback, and the port."""
    server = grpc.server(ThreadPoolExecutor(_THREADS))
    service = _Bare(answer)  # type: ignore[abstract] # only searches are asked of it
    add_RetrievalServiceServicer_to_server(service, server)
    if credentials:
        port = server.add_secure_port("localhost:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port
