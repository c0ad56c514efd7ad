"""The server put together: services, health, reflection, limits, and an orderly end."""

import logging
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import StartupError
from cipherlens.server.interceptor import Admission, CallInterceptor
from cipherlens.server.status import CODES, Codes

if TYPE_CHECKING:
    from cipherlens.server.encryption.service import EncryptionService
    from cipherlens.server.engine import Engine

_log = logging.getLogger(__name__)

# Threads beyond the admitted calls: for health, reflection and refusals.
_SPARE_THREADS = 4
# A stream of reflection holds a thread for as long as its caller likes.
_REFLECTION_STREAMS = _SPARE_THREADS // 2
# Calls that may wait for a thread, as a multiple of the threads; gRPC itself refuses the rest.
_CALLS_PER_THREAD = 16
# For answers on their way out, and streams of health checks, which end only here.
_LAST_ANSWERS_S = 1.0
# A message carries a little more than its payload.
_MESSAGE_MARGIN = 64 * 1024


class CipherLensServer:
    """A server of one or both roles; after `stop` it is done for good."""

    def __init__(self, config: ServerConfig) -> None:
        """Open the data folder and the keyring.

        Raises StartupError if another server holds the folder, its schema is another, a device is
        not there, or the keyring does not open; then nothing stays open.
        """
        self._config = config
        self._admission = Admission(config.limits.max_concurrent_calls)
        self._health = health.HealthServicer()
        self._services: list[str] = []
        self._engine: Engine | None = None
        self._owner: EncryptionService | None = None
        self._stopping = threading.Lock()  # held by the one that stops
        threads = config.limits.max_concurrent_calls + _SPARE_THREADS
        self._pool = ThreadPoolExecutor(threads, "call")
        self._server = self._new_server(threads)
        try:
            self._add_services()
        except BaseException:
            self._close()
            raise

    @property
    def description(self) -> str:
        """Role and devices, for people."""
        if self._engine is None:
            return f"{self._config.role}"
        return (
            f"{self._config.role}, index on {self._engine.device}, "
            f"models on {self._engine.model_device}"
        )

    def start(self) -> int:
        """Listen, say so to health checks, and return the port. Raises StartupError."""
        try:
            port = self._server.add_insecure_port(self._config.listen)
        except RuntimeError as error:
            self.stop()
            raise StartupError(
                f"cannot listen on {self._config.listen}: another program does already, or the "
                "address is not one of this machine"
            ) from error
        self._server.start()
        for name in ("", *self._services):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return port

    def stop(self, grace_s: float | None = None) -> None:
        """Refuse new calls, let those under way finish for so long, then close everything.

        Returns when no call is under way any more; a second time nothing is left to do.
        """
        with self._stopping:
            # In this order: who has heard that nothing is served is never served after all.
            self._admission.stop()
            self._health.enter_graceful_shutdown()
            # gRPC is shut down last: it cancels what comes then, where we say UNAVAILABLE.
            grace_s = self._config.grace_s if grace_s is None else grace_s
            self._admission.drain(grace_s)
            self._server.stop(min(grace_s, _LAST_ANSWERS_S)).wait()
            self._close()

    def _add_services(self) -> None:
        config, server = self._config, self._server
        if config.role.has_cloud:
            # Loaded here, so that an owner's server needs neither database nor FAISS ...
            from cipherlens.server.retrieval import serve as retrieval

            self._engine = retrieval.open_engine(config)
            self._services.append(retrieval.add_service(server, self._engine, config))
        if config.role.has_owner:
            # ... and key code enters the process only here: a cloud server never imports it.
            from cipherlens.server.encryption import serve as encryption

            self._owner = encryption.open_service(config)
            self._services.append(encryption.add_service(server, self._owner))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = [*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME]
        reflection.enable_server_reflection(names, server)

    def _close(self) -> None:
        # A call that was cancelled may still be at work: its thread is waited for, so that
        # nothing touches the database after it is closed.
        self._pool.shutdown(wait=True)
        if self._owner is not None:
            self._owner.close()
        if self._engine is not None:
            self._engine.close()

    def _new_server(self, threads: int) -> grpc.Server:
        message_bytes = self._config.limits.max_message_bytes + _MESSAGE_MARGIN
        codes = _owner_codes() if self._config.role.has_owner else CODES
        return grpc.server(
            self._pool,
            interceptors=[
                CallInterceptor("/cipherlens.v1.", self._admission, codes),
                CallInterceptor("/grpc.reflection.", Admission(_REFLECTION_STREAMS), codes),
            ],
            maximum_concurrent_rpcs=_CALLS_PER_THREAD * threads,
            options=[
                ("grpc.max_receive_message_length", message_bytes),
                # An item goes out with a little more around it than it came in with.
                ("grpc.max_send_message_length", message_bytes + _MESSAGE_MARGIN),
                ("grpc.so_reuseport", 0),  # a second server on the port must fail, not share it
            ],
        )


def _owner_codes() -> Codes:
    from cipherlens.server.encryption.errors import CRYPTO_CODES

    return {**CODES, **CRYPTO_CODES}


def run(config: ServerConfig) -> int:
    """Serve until SIGTERM or SIGINT, then stop in good order; return the exit code."""
    stopping = _stop_signals()
    server = CipherLensServer(config)
    port = server.start()
    where = _address(config.listen, port)
    # The line that people and scripts wait for: from here on the server answers.
    print(f"cipherlens: listening on {where} ({server.description})", flush=True)  # noqa: T201
    stopping.recv(1)
    _log.info("stopping: calls under way have %g s", config.grace_s)
    server.stop()
    return 0


def _stop_signals() -> socket.socket:
    """Return a socket that has a byte to read once SIGTERM or SIGINT has come.

    Whenever that is and on whatever thread. A handler that sets an event can come between the main
    thread's last look at it and its wait, which then never ends.
    """
    stopping, stopped = socket.socketpair()
    stopped.setblocking(False)
    signal.set_wakeup_fd(stopped.detach())  # open for as long as the process lives
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    return stopping


def _address(listen: str, port: int) -> str:
    return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"
