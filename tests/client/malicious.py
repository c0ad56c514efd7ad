"""A server between a client and an honest one, which alters what the honest one answers."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from cipherlens.v1 import retrieval_service_pb2_grpc as services

Alter = Callable[[Any, Any], Any]
"""Makes an answer of a request and the honest answer; None leaves it out of a stream."""


class Malicious:
    """Hands every call on, and back what was made of the answer.

    Attributes:
        target: where it listens.
        alter: by method, what is done to each answer; there may be none.
    """

    def __init__(self, honest: grpc.Channel) -> None:
        """Take a channel to the honest server."""
        self._stub = services.RetrievalServiceStub(honest)
        self.target = ""
        self.alter: dict[str, Alter] = {}

    def __getattr__(self, method: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        """Return the handler of a method."""
        send = getattr(self._stub, method)
        if method == "Fetch":
            return lambda request, _context: self._fetched(request)
        return lambda request, context: self._answered(method, send, request, context)

    def _answered(self, method: str, send: Any, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            answer = send(request, timeout=60)
        except grpc.RpcError as error:
            context.set_trailing_metadata(error.trailing_metadata())  # type: ignore[attr-defined]
            context.abort(error.code(), error.details())  # type: ignore[attr-defined]
        alter = self.alter.get(method)
        return answer if alter is None else alter(request, answer)

    def _fetched(self, request: Any) -> Iterator[Any]:
        alter = self.alter.get("Fetch", lambda _request, answer: answer)
        for answer in self._stub.Fetch(request, timeout=60):
            yield alter(request, answer)


@contextmanager
def between(honest: str) -> Iterator[Malicious]:
    """Give a malicious server before the honest one at an address."""
    options = [("grpc.max_receive_message_length", 64 * 2**20)]
    with grpc.insecure_channel(honest, options=options) as channel:
        made = Malicious(channel)
        server = grpc.server(ThreadPoolExecutor(4), options=options)
        services.add_RetrievalServiceServicer_to_server(made, server)
        made.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        yield made
        server.stop(0).wait()
