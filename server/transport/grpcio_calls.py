"""A call on grpcio: its messages waited for, its answer sent, its failure told.

Every method is served as one that takes a stream, which looks the same on the wire: so the thread
has the call before its message has come, and can end one whose message never does.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from grpc_health.v1 import health_pb2
from grpc_status import rpc_status

from cipherlens.server.call import Call
from cipherlens.server.errors import CallCancelled, InvalidField, ServerError
from cipherlens.server.transport.guard import Guard, Refusal
from cipherlens.server.transport.health import Health
from cipherlens.server.transport.patience import Patience
from cipherlens.server.transport.payloads import Payloads, decoded
from cipherlens.server.transport.service import Method
from cipherlens.server.transport.status import status_of

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic for type checkers only
Behaviour = Callable[[Any, Call], Any]
Incoming = Callable[[Iterator[bytes], grpc.ServicerContext, Call], AbstractContextManager[Any]]
Handle = Callable[[Iterator[bytes], grpc.ServicerContext], Any]


class Waits:
    """What calls on a listener wait for: their messages, and callers who read."""

    def __init__(self, receiving: Patience, payloads: Payloads, send_s: float) -> None:
        self.receiving = receiving
        self.sending = Patience(send_s)
        self.payloads = payloads

    def close(self) -> None:
        self.receiving.close()
        self.sending.close()

    def payload(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes | None:
        """Return the next message of a call, None after the last.

        Raises CallCancelled where the caller is gone or took too long, QueueFull.
        """
        with self.receiving.kept(context.cancel):
            try:
                return next(requests, None)
            except grpc.RpcError as error:
                raise CallCancelled("the caller is gone") from error

    def messages(
        self, request_type: type[Any], requests: Iterator[bytes], context: grpc.ServicerContext
    ) -> Generator[Any, None, None]:
        """Yield the messages of a call, each counted until the next is asked for.

        Raises InvalidField for one that does not decode, and as `payload` does.
        """
        while (payload := self.payload(requests, context)) is not None:
            with self.payloads.counted(payload):
                yield decoded(request_type, payload)


def handler(
    method: Method,
    behaviour: Behaviour,
    waits: Waits,
    guard: Guard,
    *,
    identifies: bool = True,
) -> Handler:
    """Return what answers a method.

    If it `identifies` callers, strangers are refused before their message is read.
    """
    answered = _streamed if method.gives_stream else _single
    make = (
        grpc.stream_stream_rpc_method_handler
        if method.gives_stream
        else grpc.stream_unary_rpc_method_handler
    )
    made: Handler = make(
        answered(behaviour, partial(_incoming, method, waits, guard, identifies), waits),
        response_serializer=methodcaller("SerializeToString"),
    )
    return made


def _single(behaviour: Behaviour, incoming: Incoming, _waits: Waits) -> Handle:
    """Return a behaviour with one response as grpcio calls it."""

    def handle(requests: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        call = _call(context)
        try:
            with incoming(requests, context, call) as request:
                response = behaviour(request, call)
        except Refusal as refusal:
            _abort(context, refusal, call)
        context.set_trailing_metadata(tuple(call.trailers))
        return response

    return handle


def _streamed(behaviour: Behaviour, incoming: Incoming, waits: Waits) -> Handle:
    """Return a behaviour with a stream of responses as grpcio calls it."""

    def handle(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
        call = _call(context)
        try:
            with incoming(requests, context, call) as request:
                for response in behaviour(request, call):
                    with waits.sending.kept(context.cancel):
                        yield response
        except Refusal as refusal:
            _abort(context, refusal, call)
        context.set_trailing_metadata(tuple(call.trailers))

    return handle


@contextmanager
def _incoming(
    method: Method,
    waits: Waits,
    guard: Guard,
    identifies: bool,
    requests: Iterator[bytes],
    context: grpc.ServicerContext,
    call: Call,
) -> Iterator[Any]:
    """Give what a behaviour takes: the request, or an iterator of them. Raises Refusal."""
    if identifies:
        guard.identify(method, call)
    if method.takes_stream:
        yield waits.messages(method.request_type, requests, context)
        return
    messages = waits.messages(method.request_type, requests, context)
    try:
        request = next(messages, None)
        if request is None:
            raise InvalidField("request", "has not come")
    except ServerError as error:
        raise guard.turned_away(method, error, call) from error
    try:
        yield request
    finally:
        messages.close()


def watch_handler(health: Health, waits: Waits) -> Handler:
    """Return what sends changes of health, for which a call holds no thread."""

    def handle(requests: Iterator[bytes], context: grpc.ServicerContext, send: Any) -> None:
        try:
            payload = waits.payload(requests, context) or b""
            request = decoded(health_pb2.HealthCheckRequest, payload)
            health.watch(request, _call(context), context, send)
        except ServerError as error:
            context.abort_with_status(rpc_status.to_status(status_of(error)))
        except Refusal as refusal:
            context.abort_with_status(rpc_status.to_status(refusal.status))

    behaviour: Any = handle
    behaviour.experimental_non_blocking = True
    made: Handler = grpc.stream_stream_rpc_method_handler(
        behaviour, response_serializer=methodcaller("SerializeToString")
    )
    return made


def _abort(context: grpc.ServicerContext, refusal: Refusal, call: Call) -> NoReturn:
    """End a call with the status of a refusal, and with its trailers."""
    status = rpc_status.to_status(refusal.status)
    context.set_trailing_metadata((*status.trailing_metadata, *call.trailers))
    context.abort(status.code, status.details)
    raise AssertionError("abort raises")


def _call(context: grpc.ServicerContext) -> Call:
    return Call.within(
        context.time_remaining(),
        is_active=context.is_active,
        on_end=context.add_callback,
        metadata=context.invocation_metadata,
        peer=context.peer,
    )
