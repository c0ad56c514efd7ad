"""A server in a process of its own, which can be killed."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

_SERVE = Path(__file__).parent / "serve.py"


class ServerProcess:
    """A process that serves a data folder; what it logs goes to the end of a file."""

    def __init__(
        self,
        folder: Path,
        log: Path,
        transport: str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Return once it has begun; it has not looked at the folder yet."""
        self._target = ""
        self._log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, _SERVE, folder, transport],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
            )
        assert self._line() == "beginning\n", self._log.read_text()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def target(self) -> str:
        """Return the server's address, once it serves."""
        if not self._target:
            line = self._line()
            assert line.startswith("cipherlens: listening on "), self._log.read_text()
            self._target = line.split()[3]
        return self._target

    def kill(self) -> None:
        """End it at this moment, if it has not ended yet."""
        if self._process.poll() is None:
            self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        assert self._end(signal.SIGTERM) == 0, self._log.read_text()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def _end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        try:
            code = self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGUSR1)  # the log gets what every thread is at
            time.sleep(1)
            raise
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code
