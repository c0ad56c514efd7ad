"""Services on grpcio's server: a thread for each call, health checks and reflection beside them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_status import rpc_status

from cipherlens.server.call import Call
from cipherlens.server.errors import CannotListen
from cipherlens.server.transport.admission import Admission
from cipherlens.server.transport.guard import Guard, Guarded, Refusal
from cipherlens.server.transport.service import Method, service_of

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]
else:
    Handler = grpc.RpcMethodHandler  # generic for type checkers only

# Threads beyond the admitted calls: for health, reflection and refusals.
SPARE_THREADS = 4
# A stream of reflection holds a thread for as long as its caller likes.
_REFLECTION_STREAMS = SPARE_THREADS // 2
# Calls that may wait for a thread, as a multiple of the threads; the rest is refused at once.
CALLS_PER_THREAD = 16
# A message carries a little more than its payload.
MESSAGE_MARGIN = 64 * 1024


class GrpcioTransport:
    """A grpcio server, with TLS or without."""

    def __init__(
        self,
        services: Sequence[Guarded],
        *,
        listen: str,
        max_concurrent_calls: int,
        max_message_bytes: int,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        """Put the services on a server that does not listen yet; with credentials it speaks TLS."""
        self._listen = listen
        self._credentials = credentials
        self._names = [each.service.name for each in services]
        threads = max_concurrent_calls + SPARE_THREADS
        self._pool = ThreadPoolExecutor(threads, "call")
        self._server = _new_server(self._pool, threads, max_message_bytes)
        self._health = _Health(services[0].guard)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        described = _reflection([*self._names, health.SERVICE_NAME], services[0].guard)
        for each in [*services, described]:
            self._server.add_generic_rpc_handlers([_handlers(each)])

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
            self._health.set(name, status)

    def _port(self) -> int:
        if self._credentials is None:
            return self._server.add_insecure_port(self._listen)
        return self._server.add_secure_port(self._listen, self._credentials)

    def stop_serving(self) -> None:
        """Tell health checks that nothing is served any more; calls under way go on."""
        self._health.enter_graceful_shutdown()

    def stop(self, at_most_s: float) -> None:
        """Let what is on its way out leave, end the rest, and return when nothing is at work."""
        self._server.stop(at_most_s).wait()
        # A call that was cancelled may still be at work: its thread is waited for, so that nothing
        # touches the database after it is closed.
        self._pool.shutdown(wait=True)


class _Health(health.HealthServicer):
    """gRPC's own health checks; one that names a service, the guard must know."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802 - the protocol's name
        """Answer for the server, or for a service of it."""
        self._let_in(request, context)
        return super().Check(request, context)

    def Watch(self, request: Any, context: grpc.ServicerContext, *extra: Any) -> Any:  # noqa: N802 - the same
        """Answer now and with every change."""
        self._let_in(request, context)
        return super().Watch(request, context, *extra)

    def _let_in(self, request: Any, context: grpc.ServicerContext) -> None:
        if request.service:  # which tells what is served here
            try:
                self._guard.identify(_call(context))
            except Refusal as refusal:
                context.abort_with_status(rpc_status.to_status(refusal.status))


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


def _new_server(pool: ThreadPoolExecutor, threads: int, max_message_bytes: int) -> grpc.Server:
    message_bytes = max_message_bytes + MESSAGE_MARGIN
    return grpc.server(
        pool,
        maximum_concurrent_rpcs=CALLS_PER_THREAD * threads,
        options=[
            ("grpc.max_receive_message_length", message_bytes),
            # An item goes out with a little more around it than it came in with.
            ("grpc.max_send_message_length", message_bytes + MESSAGE_MARGIN),
            ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
        ],
    )


def _handlers(each: Guarded) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        each.service.name,
        {method.name: _handler(method, each.guard) for method in each.service.methods},
    )


def _handler(method: Method, guard: Guard) -> Handler:
    make: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.takes_stream, method.gives_stream]
    answered = _streamed if method.gives_stream else _answered
    handler: Handler = make(
        answered(guard.guarded(method)),
        request_deserializer=method.request_type.FromString,
        response_serializer=methodcaller("SerializeToString"),
    )
    return handler


def _answered(behaviour: Callable[[Any, Call], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    """Return a behaviour with one response as grpcio calls it."""

    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return behaviour(request, _call(context))
        except Refusal as refusal:
            context.abort_with_status(rpc_status.to_status(refusal.status))

    return handle


def _streamed(
    behaviour: Callable[[Any, Call], Iterator[Any]],
) -> Callable[[Any, grpc.ServicerContext], Iterator[Any]]:
    """Return a behaviour with a stream of responses as grpcio calls it."""

    def handle(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        try:
            yield from behaviour(request, _call(context))
        except Refusal as refusal:
            context.abort_with_status(rpc_status.to_status(refusal.status))

    return handle


def _call(context: grpc.ServicerContext) -> Call:
    return Call.within(
        context.time_remaining(),
        is_active=context.is_active,
        on_end=context.add_callback,
        metadata=context.invocation_metadata,
    )
