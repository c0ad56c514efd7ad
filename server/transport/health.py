"""gRPC's health checks: answered at once whatever else is under way.

grpcio's own servicer sends to watchers while it holds the lock that it needs when one goes away, on
the thread that all of grpcio's events come in on: two watchers could so stop a server for good.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from cipherlens.server.call import Call
from cipherlens.server.errors import NotFound, QueueFull
from cipherlens.server.transport.guard import Guard, Refusal
from cipherlens.server.transport.service import Method
from cipherlens.server.transport.status import status_of

_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

NAME: str = health.SERVICE_NAME


class _Watcher:
    """A caller who is told of every change of a service."""

    def __init__(self, status: Callable[[], Any], send: Callable[[Any], object]) -> None:
        """Take what gives the status of now, and what sends a response and waits until it left."""
        self._status = status
        self._send = send
        self._lock = threading.Lock()  # so that responses leave in order; guards _told
        self._told: Any = None

    def tell(self) -> None:
        """Send what is now, if it is something new."""
        with self._lock:
            status = self._status()
            if status != self._told:
                self._told = status
                self._send(health_pb2.HealthCheckResponse(status=status))


class Health:
    """What health checks are told; one that names a service, the guard must know.

    `List`, which gRPC's own servicer lacks too, is not served.

    method: the one that asks once.
    """

    def __init__(self, guard: Guard, threads: Executor, max_watchers: int) -> None:
        """Take who lets callers in, the threads that tell watchers, and how many these may be."""
        self.method = Method(
            service=NAME,
            name="Check",
            request_type=health_pb2.HealthCheckRequest,
            response_type=health_pb2.HealthCheckResponse,
            takes_stream=False,
            gives_stream=False,
            behaviour=self.check,
        )
        self._guard = guard
        self._max_watchers = max_watchers
        self._threads = threads
        self._lock = threading.Lock()  # guards _watchers; never held while anything is sent
        self._watchers: set[_Watcher] = set()
        self._statuses: dict[str, Any] = {}

    def say(self, name: str, status: Any) -> None:
        """Tell it of a service, "" being the whole server, from now on."""
        self._statuses[name] = status
        self._tell()

    def end(self) -> None:
        """Say that nothing is served."""
        self._statuses = dict.fromkeys(self._statuses, _NOT_SERVING)
        self._tell()

    def check(self, request: Any, call: Call) -> Any:
        """Answer for the server, or for a service of it. Raises Refusal."""
        self._let_in(request, call)
        status = self._statuses.get(request.service)
        if status is None:
            raise Refusal(status_of(NotFound("service", request.service)))
        return health_pb2.HealthCheckResponse(status=status)

    def watch(self, request: Any, call: Call, context: grpc.ServicerContext, send: Any) -> None:
        """Send every change to a caller, beginning with what is now. Raises Refusal, QueueFull."""
        self._let_in(request, call)
        watcher = _Watcher(lambda: self._statuses.get(request.service, _UNKNOWN), send)
        with self._lock:
            if len(self._watchers) >= self._max_watchers:
                raise QueueFull(f"{self._max_watchers} callers watch, the most that may")
            self._watchers.add(watcher)

        def forget() -> None:
            with self._lock:
                self._watchers.discard(watcher)
            send(None)  # which ends the call

        if context.add_callback(forget):
            watcher.tell()
        else:
            forget()

    def _tell(self) -> None:
        with self._lock:
            watchers = list(self._watchers)
        for each in watchers:
            self._threads.submit(each.tell)

    def _let_in(self, request: Any, call: Call) -> None:
        if request.service:  # which tells what is served here
            self._guard.identify(self.method, call)
