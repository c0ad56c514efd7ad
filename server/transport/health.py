"""gRPC's health checks: answered at once whatever else is under way."""

import threading
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2

from cipherlens.server.call import Call
from cipherlens.server.errors import NotFound, QueueFull
from cipherlens.server.transport.guard import Guard, Refusal
from cipherlens.server.transport.service import Method
from cipherlens.server.transport.status import status_of

# Callers that are told of every change; each costs a call and no thread.
_WATCHERS = 64

NAME: str = health.SERVICE_NAME


class Health:
    """What health checks are told; one that names a service, the guard must know.

    `List`, which gRPC's own servicer lacks too, is not served.

    method: the one that asks once.
    """

    def __init__(self, guard: Guard) -> None:
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
        self._watched = health.HealthServicer()
        self._lock = threading.Lock()  # guards _watchers
        self._watchers = 0
        self._statuses: dict[str, Any] = {}

    def say(self, name: str, status: Any) -> None:
        """Tell it of a service, "" being the whole server, from now on."""
        self._statuses[name] = status
        self._watched.set(name, status)

    def end(self) -> None:
        """Say for good that nothing is served."""
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        self._statuses = dict.fromkeys(self._statuses, not_serving)
        self._watched.enter_graceful_shutdown()

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
        with self._lock:
            if self._watchers >= _WATCHERS:
                raise QueueFull(f"{_WATCHERS} callers watch, the most that may")
            self._watchers += 1
        if not context.add_callback(self._forget):
            self._forget()
            return
        self._watched.Watch(request, context, send)

    def _let_in(self, request: Any, call: Call) -> None:
        if request.service:  # which tells what is served here
            self._guard.identify(call)

    def _forget(self) -> None:
        with self._lock:
            self._watchers -= 1
