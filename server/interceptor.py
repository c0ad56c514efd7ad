"""What happens around every call: admission, deadlines, and errors turned into statuses."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from cipherlens.server.errors import QueueFull, Stopping
from cipherlens.server.status import Codes, rich_status, status_code

_log = logging.getLogger(__name__)

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic for type checkers only


class Admission:
    """How many calls may be under way; the answer to one too many comes at once.

    It stands below the thread pool's size, so that health checks and refusals always find a thread.
    """

    def __init__(self, max_concurrent_calls: int) -> None:
        self._limit = max_concurrent_calls
        self._lock = threading.Condition()  # guards the two fields below; notified at none
        self._under_way = 0
        self._stopping = False

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count the block as a call under way. Raises QueueFull or Stopping instead of entering."""
        with self._lock:
            if self._stopping:
                raise Stopping("the server is shutting down")
            if self._under_way >= self._limit:
                raise QueueFull(
                    f"{self._limit} calls are under way, the most that this server takes on",
                    {"limit": str(self._limit), "value": str(self._under_way + 1)},
                )
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                if not self._under_way:
                    self._lock.notify_all()

    def stop(self) -> None:
        """Refuse new calls from now on."""
        with self._lock:
            self._stopping = True

    def drain(self, at_most_s: float) -> None:
        """Return when no call is under way, or after so long."""
        with self._lock:
            self._lock.wait_for(lambda: not self._under_way, at_most_s)


class CallInterceptor(grpc.ServerInterceptor):
    """Wraps every handler of the services below a prefix; all others pass untouched."""

    def __init__(self, prefix: str, admission: Admission, codes: Codes) -> None:
        """Guard methods whose full names begin so, such as "/cipherlens.v1."."""
        self._prefix = prefix
        self._admission = admission
        self._codes = codes

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Handler | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler, guarded if its name begins with the prefix."""
        handler = continuation(handler_call_details)
        if handler is None or not str(handler_call_details.method).startswith(self._prefix):
            return handler
        return _rewrapped(handler, self)

    def unary(self, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Return a behaviour with one answer, guarded."""

        def guarded(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                with self._admission.enter():
                    return behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - the one place where failures become statuses
                self._abort(error, context)

        return guarded

    def streaming(
        self, behaviour: Callable[[Any, Any], Iterator[Any]]
    ) -> Callable[[Any, Any], Iterator[Any]]:
        """Return a behaviour with a stream of answers, guarded."""

        def guarded(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            try:
                with self._admission.enter():
                    yield from behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - the one place where failures become statuses
                self._abort(error, context)

        return guarded

    def _abort(self, error: Exception, context: grpc.ServicerContext) -> None:
        if status_code(error, self._codes) is grpc.StatusCode.INTERNAL and context.is_active():
            _log.error("a call failed", exc_info=error)
        context.abort_with_status(rich_status(error, self._codes))


def _rewrapped(handler: Handler, guard: CallInterceptor) -> Handler:
    coders = (handler.request_deserializer, handler.response_serializer)
    if handler.stream_unary:
        return grpc.stream_unary_rpc_method_handler(guard.unary(handler.stream_unary), *coders)
    if handler.unary_stream:
        return grpc.unary_stream_rpc_method_handler(guard.streaming(handler.unary_stream), *coders)
    if handler.unary_unary:
        return grpc.unary_unary_rpc_method_handler(guard.unary(handler.unary_unary), *coders)
    assert handler.stream_stream is not None  # a handler has one of the four
    return grpc.stream_stream_rpc_method_handler(guard.streaming(handler.stream_stream), *coders)
