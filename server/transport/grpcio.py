"""Services on grpcio's server: a thread for each call, health checks and reflection beside them.

Every method is served as one that takes a stream, which looks the same on the wire: so the thread
has the call before its message has come, and can end one whose message never does.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from operator import methodcaller
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_status import rpc_status

from cipherlens.server.call import Call
from cipherlens.server.config import Limits, Timeouts
from cipherlens.server.errors import CallCancelled, CannotListen, InvalidField, ServerError
from cipherlens.server.transport.admission import Admission
from cipherlens.server.transport.guard import Guard, Guarded, Refusal
from cipherlens.server.transport.health import NAME as HEALTH_NAME
from cipherlens.server.transport.health import Health
from cipherlens.server.transport.patience import Patience
from cipherlens.server.transport.payloads import Payloads, decoded
from cipherlens.server.transport.service import Method, service_of
from cipherlens.server.transport.status import status_of

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic for type checkers only
Behaviour = Callable[[Any, Call], Any]
Incoming = Callable[[Iterator[bytes], grpc.ServicerContext, Call], AbstractContextManager[Any]]
Handle = Callable[[Iterator[bytes], grpc.ServicerContext], Any]

# Threads beyond the admitted calls: for health, reflection and refusals.
SPARE_THREADS = 4
# In this time a message that is on its way has mostly come: only later its call makes room.
_SECURE_S = 0.25
# Health checks whose message is still to come; another one ends the oldest.
_HEALTH_CHECKS = 16
# A stream of reflection holds a thread for as long as its caller likes.
_REFLECTION_STREAMS = SPARE_THREADS // 2
# A message carries a little more than its payload.
MESSAGE_MARGIN = 64 * 1024


class GrpcioTransport:
    """A grpcio server, with TLS or without."""

    def __init__(
        self,
        services: Sequence[Guarded],
        *,
        listen: str,
        limits: Limits,
        timeouts: Timeouts,
        credentials: grpc.ServerCredentials | None = None,
        renews: bool = True,
        shares_port: bool = False,
    ) -> None:
        """Put the services on a server that does not listen yet; with credentials it speaks TLS.

        It `renews` connections, closing those that are idle or old, unless all come from a front.
        If it `shares_port`, the system spreads connections over all processes that do.
        """
        self._listen = listen
        self._credentials = credentials
        # Calls whose message is still to come, beside those that are admitted.
        receiving = max(4, limits.max_concurrent_calls // 2)
        threads = limits.max_concurrent_calls + receiving + _HEALTH_CHECKS + SPARE_THREADS
        self._pool = ThreadPoolExecutor(threads, "call")
        self._server = _new_server(self._pool, threads, limits, timeouts, renews, shares_port)
        payloads = Payloads(limits)
        receive_s, send_s = timeouts.receive_s, timeouts.send_s
        self._waits = _Waits(Patience(receive_s, receiving, secure_s=_SECURE_S), payloads, send_s)
        # Whatever comes, a health check finds a thread.
        self._health_waits = _Waits(Patience(receive_s, _HEALTH_CHECKS), payloads, send_s)
        self._health = Health(services[0].guard, self._pool, limits.max_health_watchers)
        self._names = [each.service.name for each in services]
        described = _reflection([*self._names, HEALTH_NAME], services[0].guard)
        for each in [*services, described]:
            handlers = {
                method.name: _handler(
                    method,
                    each.guard.guarded(method),
                    self._waits,
                    each.guard,
                )
                for method in each.service.methods
            }
            self._add(each.service.name, handlers)
        self._add(
            HEALTH_NAME,
            {
                "Check": _handler(
                    self._health.method,
                    self._health.check,
                    self._health_waits,
                    services[0].guard,
                    identifies=False,  # the behaviour looks who it is, where it matters
                ),
                "Watch": _watch_handler(self._health, self._health_waits),
            },
        )

    def _add(self, name: str, handlers: dict[str, Handler]) -> None:
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(name, handlers)]
        )

    def start(self) -> int:
        """Listen and return the port; nothing is served yet. Raises StartupError."""
        try:
            port = self._port()
        except RuntimeError as error:
            raise CannotListen(self._listen) from error
        self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        self._server.start()
        return port

    def serve(self) -> None:
        """Tell health checks that all is served."""
        self._say(health_pb2.HealthCheckResponse.SERVING)

    def _say(self, status: Any) -> None:
        for name in ("", *self._names):
            self._health.say(name, status)

    def _port(self) -> int:
        if self._credentials is None:
            return self._server.add_insecure_port(self._listen)
        return self._server.add_secure_port(self._listen, self._credentials)

    def stop_serving(self) -> None:
        """Tell health checks that nothing is served any more; calls under way go on."""
        self._health.end()

    def stop(self, at_most_s: float) -> None:
        """Let what is on its way out leave, end the rest, and return when nothing is at work."""
        self._server.stop(at_most_s).wait()
        # A call that was cancelled may still be at work: its thread is waited for, so that nothing
        # touches the database after it is closed.
        self._pool.shutdown(wait=True)
        self._waits.close()
        self._health_waits.close()


class _Waits:
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


class _Reflection:
    """gRPC's own reflection, which asks nothing of a call, as behaviours of ours."""

    def __init__(self, names: Sequence[str]) -> None:
        self._servicer = reflection.ReflectionServicer([*names, reflection.SERVICE_NAME])

    def ServerReflectionInfo(self, requests: Iterator[Any], _call: Call) -> Iterator[Any]:  # noqa: N802 - the protocol's name
        """Answer what a client asks about the services."""
        no_context: Any = None  # it does not look at it
        answers: Iterator[Any] = self._servicer.ServerReflectionInfo(requests, no_context)
        return answers


def _reflection(names: Sequence[str], guard: Guard) -> Guarded:
    """Return reflection behind the same gate, with places that leave threads for all else."""
    descriptor: Any = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]
    service = service_of(descriptor, _Reflection(names))
    return Guarded(service, guard.beside(Admission(_REFLECTION_STREAMS)))


def _new_server(
    pool: ThreadPoolExecutor,
    threads: int,
    limits: Limits,
    timeouts: Timeouts,
    renews: bool,
    shares_port: bool,
) -> grpc.Server:
    message_bytes = limits.max_message_bytes + MESSAGE_MARGIN
    return grpc.server(
        pool,
        maximum_concurrent_rpcs=threads + limits.max_waiting_calls,
        options=[
            ("grpc.max_receive_message_length", message_bytes),
            # An item goes out with a little more around it than it came in with.
            ("grpc.max_send_message_length", message_bytes + MESSAGE_MARGIN),
            # Unasked, a second server on the port must fail, not share it.
            ("grpc.so_reuseport", int(shares_port)),
            ("grpc.keepalive_time_ms", ms(timeouts.keepalive_s)),
            ("grpc.keepalive_timeout_ms", ms(timeouts.keepalive_answer_s)),
            *(_renewal(timeouts) if renews else ()),
        ],
    )


def _renewal(timeouts: Timeouts) -> tuple[tuple[str, int], ...]:
    """Return options by which connections without calls are closed, and old ones renewed."""
    return (
        ("grpc.max_connection_idle_ms", ms(timeouts.idle_s)),
        ("grpc.max_connection_age_ms", ms(timeouts.connection_age_s)),
        ("grpc.max_connection_age_grace_ms", ms(timeouts.connection_age_grace_s)),
    )


def ms(seconds: float) -> int:
    """Return seconds as gRPC wants them."""
    return round(1000 * seconds)


def _handler(
    method: Method,
    behaviour: Behaviour,
    waits: _Waits,
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
    handler: Handler = make(
        answered(behaviour, partial(_incoming, method, waits, guard, identifies), waits),
        response_serializer=methodcaller("SerializeToString"),
    )
    return handler


def _single(behaviour: Behaviour, incoming: Incoming, _waits: _Waits) -> Handle:
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


def _streamed(behaviour: Behaviour, incoming: Incoming, waits: _Waits) -> Handle:
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
    waits: _Waits,
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
        raise guard.turned_away(method, status_of(error), call) from error
    try:
        yield request
    finally:
        messages.close()


def _watch_handler(health: Health, waits: _Waits) -> Handler:
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
    handler: Handler = grpc.stream_stream_rpc_method_handler(
        behaviour, response_serializer=methodcaller("SerializeToString")
    )
    return handler


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
