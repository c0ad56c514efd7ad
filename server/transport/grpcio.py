"""Services on grpcio's server: a thread for each call, health checks and reflection beside them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from cipherlens.server.call import Call
from cipherlens.server.config import Limits, Timeouts
from cipherlens.server.errors import CannotListen
from cipherlens.server.transport.admission import Admission
from cipherlens.server.transport.grpcio_calls import Handler, Waits, handler, watch_handler
from cipherlens.server.transport.guard import Guard, Guarded
from cipherlens.server.transport.health import NAME as HEALTH_NAME
from cipherlens.server.transport.health import Health
from cipherlens.server.transport.patience import Patience
from cipherlens.server.transport.payloads import Payloads
from cipherlens.server.transport.service import service_of

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
        self._waits = Waits(Patience(receive_s, receiving, secure_s=_SECURE_S), payloads, send_s)
        # Whatever comes, a health check finds a thread.
        self._health_waits = Waits(Patience(receive_s, _HEALTH_CHECKS), payloads, send_s)
        self._health = Health(services[0].guard, self._pool, limits.max_health_watchers)
        self._names = [each.service.name for each in services]
        described = _reflection([*self._names, HEALTH_NAME], services[0].guard)
        for each in [*services, described]:
            handlers = {
                method.name: handler(
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
                "Check": handler(
                    self._health.method,
                    self._health.check,
                    self._health_waits,
                    services[0].guard,
                    identifies=False,  # the behaviour looks who it is, where it matters
                ),
                "Watch": watch_handler(self._health, self._health_waits),
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
