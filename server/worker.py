"""One of several processes behind a port: what it has of the process that started it."""

import json
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple, Self

from cipherlens.server.config import ServerConfig, TlsListener

VARIABLE = "CIPHERLENS_WORKER"
"""Where a worker finds what follows, in the environment; it is no setting."""


class Worker(NamedTuple):
    """A worker's number, where it listens, and its two pipes.

    number: from 0.
    listen, tls_listen: with the port that all workers have; empty without TLS.
    says: a descriptor to write a byte to, once it serves.
    parent: one that has nothing to read until the process that started it has ended.
    """

    number: int
    listen: str
    tls_listen: str
    says: int
    parent: int

    @classmethod
    def found(cls, environment: Mapping[str, str]) -> Self | None:
        """Return what this process is, None if it is no worker."""
        text = environment.get(VARIABLE)
        return cls(*json.loads(text)) if text else None

    def environment(self) -> dict[str, str]:
        """Return the environment of this process with what makes another one the worker."""
        return {**os.environ, VARIABLE: json.dumps(self)}

    def config(self, config: ServerConfig) -> ServerConfig:
        """Return the configuration as this worker has it."""
        tls = config.tls
        if tls is not None:
            tls = TlsListener(
                listen=self.tls_listen,
                certificate=tls.certificate,
                key=tls.key,
                client_ca=tls.client_ca,
            )
        return replace(
            config,
            follow=True,
            listen=self.listen,
            tls=tls,
            metrics_listen=later_port(config.metrics_listen, self.number),
            follow_listen=later_port(config.follow_listen, self.number),
        )

    def serve(self, config: ServerConfig) -> int:
        """Serve until a signal comes, or the process that started this one ends.

        Returns the exit code.
        """
        from cipherlens.server.program import run  # with gRPC, which the parent does without

        threading.Thread(target=self._end_with_parent, name="parent", daemon=True).start()
        return run(self.config(config), lambda _: os.write(self.says, b"."))

    def _end_with_parent(self) -> None:
        os.read(self.parent, 1)
        os.kill(os.getpid(), signal.SIGTERM)


def later_port(listen: str | None, number: int) -> str | None:
    """Return an address with a port that is so much higher; port 0 takes a free one each time."""
    if listen is None:
        return None
    host, colon, port = listen.rpartition(":")
    return f"{host}{colon}{int(port) + number if int(port) else 0}"
