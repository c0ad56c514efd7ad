"""Several processes behind one port: started, and started again when one ends."""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cipherlens.base import Role
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import CannotListen, StartupError
from cipherlens.server.signals import signals_of
from cipherlens.server.worker import Worker, later_port

_log = logging.getLogger(__name__)

# Who has served and ends is started again at once: others may end, too. Who cannot even begin, less
# and less often.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 30.0
# Beyond what a worker gives calls under way: for files of indexes.
_CLOSING_S = 60.0
_LAST_PORT = 65535
_ENDS = (signal.SIGTERM, signal.SIGINT)


def run(config: ServerConfig) -> int:
    """Serve, with as many processes as are configured, until a signal; return the exit code.

    Each worker runs this program anew, with the same command line and settings. Raises
    StartupError.
    """
    worker = Worker.found(os.environ)
    if worker is not None:
        return worker.serve(config)
    if config.workers == 1:
        from cipherlens.server.program import run as serve

        return serve(config)
    _check(config)
    with ExitStack() as held:
        listen = held.enter_context(_held_port(config.listen))
        tls_listen = held.enter_context(_held_port(config.tls.listen)) if config.tls else ""
        coming = held.enter_context(signals_of(*_ENDS, signal.SIGCHLD))
        crew = _Crew(config, listen, tls_listen)
        held.callback(crew.end)
        return crew.watch(coming)


def _check(config: ServerConfig) -> None:
    """Raise StartupError for what several processes cannot share."""
    if config.role is not Role.CLOUD:
        raise StartupError(f"workers: {config.workers} need the role cloud, not {config.role}")
    if config.vectors is not None:
        raise StartupError(
            f"workers: {config.workers} have their indexes in memory, not in vectors"
        )
    shared = (config.listen, config.tls.listen if config.tls else "", config.follow_listen or "")
    for listen in shared:
        if listen.startswith("unix:"):
            raise StartupError(f"workers: {config.workers} cannot share {listen}; name a port")
    for name in ("metrics_listen", "follow_listen"):
        last = later_port(getattr(config, name), config.workers - 1)
        if last is not None and int(last.rpartition(":")[2]) > _LAST_PORT:
            raise StartupError(
                f"{name}: {getattr(config, name)} and the next of {config.workers} workers end "
                f"beyond port {_LAST_PORT}"
            )


class _Place:
    """The place of a worker: the process that has it, or when the next one takes it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: subprocess.Popen[bytes] | None = None
        self.says: int | None = None  # until it has said that it serves
        self.is_serving = False
        self.due_at = 0.0
        self.failures = 0  # in a row

    def start(self, listen: str, tls_listen: str, parent: int) -> None:
        """Start a worker here."""
        self.says, says = os.pipe()
        worker = Worker(self.number, listen, tls_listen, says, parent)
        self.process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, *sys.orig_argv[1:]],
            env=worker.environment(),
            pass_fds=(says, parent),
        )
        os.close(says)

    def hear(self) -> None:
        """Read what the worker says: that it serves, or nothing as it has ended."""
        assert self.says is not None
        self.is_serving = bool(os.read(self.says, 1))
        self.close()

    def close(self) -> None:
        """Listen to the worker no more."""
        if self.says is not None:
            os.close(self.says)
            self.says = None

    def ended(self) -> int | None:
        """Return the code of a worker that has ended, a signal's number negative; else None."""
        code = self.process.poll() if self.process is not None else None
        if code is None:
            return None
        self.close()
        self.failures = 0 if self.is_serving else self.failures + 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(self.failures, 10))
        self.process, self.is_serving = None, False
        self.due_at = time.monotonic() + pause_s
        return code


class _Crew:
    """All workers."""

    def __init__(self, config: ServerConfig, listen: str, tls_listen: str) -> None:
        self._config = config
        self._listen, self._tls_listen = listen, tls_listen
        self._places = [_Place(number) for number in range(config.workers)]
        # Nothing is ever written: at the other end it is closed when this process ends.
        self._parent, self._alive = os.pipe()

    def watch(self, coming: socket.socket) -> int:
        """Keep all places filled until a signal ends that; return the exit code.

        The first worker makes what the others find; where it cannot, nothing is served.
        """
        first, is_told = self._places[0], False
        self._start(first)
        while True:
            for place in self._places:
                if (code := place.ended()) is None:
                    continue
                if not is_told and place is first:
                    return code if code > 0 else 1
                _log.warning("worker %d has ended with %d: another starts", place.number, code)
            if first.is_serving or is_told:
                self._start_those_due()
            if not is_told and all(each.is_serving for each in self._places):
                is_told = True
                self._tell()
            if self._wait(coming):
                return 0

    def end(self) -> None:
        """End all workers in good order, by force what takes too long."""
        running = [each.process for each in self._places if each.process is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + self._config.grace_s + _CLOSING_S
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                _log.error("a worker does not stop: it is killed")
                process.kill()
                process.wait()
        for place in self._places:
            place.close()
        os.close(self._parent)
        os.close(self._alive)

    def _start(self, place: _Place) -> None:
        place.start(self._listen, self._tls_listen, self._parent)

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.process is None and place.due_at <= now:
                self._start(place)

    def _wait(self, coming: socket.socket) -> bool:
        """Wait until there is something to do; return whether it is to stop."""
        by_descriptor = {each.says: each for each in self._places if each.says is not None}
        due = [each.due_at for each in self._places if each.process is None]
        wait_s = max(0.0, min(due) - time.monotonic()) if due else None
        signals = coming.fileno()
        readable, _, _ = select.select([signals, *by_descriptor], [], [], wait_s)
        for each in readable:
            if each != signals:
                by_descriptor[each].hear()
        return signals in readable and any(number in _ENDS for number in coming.recv(4096))

    def _tell(self) -> None:
        where = self._listen
        if self._tls_listen:
            where += f" and, with TLS, on {self._tls_listen}"
        # The line that people and scripts wait for: from here on all answer.
        print(  # noqa: T201
            f"cipherlens: listening on {where} ({self._config.workers} workers)", flush=True
        )


@contextmanager
def _held_port(listen: str) -> Iterator[str]:
    """Give an address with the port that workers may share, and hold the port meanwhile.

    Raises CannotListen where another program listens there: it would get a part of the calls.
    """
    host, _, port = listen.rpartition(":")
    with ExitStack() as opened:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind(address)
                alone.listen()
            held = opened.enter_context(socket.socket(family, kind, protocol))
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            held.bind(address)
        except OSError as error:
            raise CannotListen(listen) from error
        yield f"{host}:{held.getsockname()[1]}"
