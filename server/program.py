"""A server as a program: loads, says that it serves, and ends in good order at a signal."""

import logging
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig
from cipherlens.server.descriptors import take_all_descriptors
from cipherlens.server.listeners import transport_of
from cipherlens.server.priority import switch_often
from cipherlens.server.signals import signals_of
from cipherlens.server.transport.grpcio import GrpcioTransport

if TYPE_CHECKING:
    from cipherlens.server.engine import LoadProgress

_log = logging.getLogger(__name__)

# Loading that takes longer says now and then how far it is.
_SILENT_S = 2.0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def run(config: ServerConfig, say: Callable[[str], object] = _say) -> int:
    """Serve until SIGTERM or SIGINT, then stop in good order; return the exit code.

    `say` is given the line that people and scripts wait for, once the server answers.
    """
    with signals_of(signal.SIGTERM, signal.SIGINT) as stopping:
        return _served(config, stopping, say)


def _served(config: ServerConfig, stopping: socket.socket, say: Callable[[str], object]) -> int:
    take_all_descriptors()
    if transport_of(config) is not GrpcioTransport:  # whose many threads it would only slow down
        switch_often()
    server = CipherLensServer(config)
    has_given_up = threading.Event()
    if config.follow:  # what it has in memory is worth nothing then: started again, it follows

        def give_up() -> None:
            has_given_up.set()
            os.kill(os.getpid(), signal.SIGTERM)

        server.when_given_up(give_up)
    port = server.listen()
    try:
        server.load(_LoadWatch(stopping))
    except _StopSignal:
        _log.info("stopped while loading")
        return 0
    where = _address(config.listen, port)
    if config.tls is not None and server.tls_port is not None:
        where += f" and, with TLS, on {_address(config.tls.listen, server.tls_port)}"
    say(f"cipherlens: listening on {where} ({server.description})")
    stopping.recv(1)
    _log.info("stopping: calls under way have %g s", config.grace_s)
    server.stop()
    return os.EX_TEMPFAIL if has_given_up.is_set() else 0


class _StopSignal(Exception):
    """SIGTERM or SIGINT has come."""


class _LoadWatch:
    """Says on standard error how far a long load is, and ends it once a stop signal has come."""

    def __init__(self, stopping: socket.socket) -> None:
        self._stopping = stopping
        self._next_s = time.monotonic() + _SILENT_S

    def __call__(self, progress: "LoadProgress") -> None:
        """Look at the clock and the signals. Raises _StopSignal."""
        if select.select([self._stopping], [], [], 0)[0]:
            raise _StopSignal
        if time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _SILENT_S
        print(  # noqa: T201
            f"cipherlens: loading collection {progress.place} of {progress.collections}, "
            f"{progress.collection!r}: {progress.changes:,} changes read",
            file=sys.stderr,
            flush=True,
        )


def _address(listen: str, port: int) -> str:
    return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"
