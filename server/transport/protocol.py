"""The seam for transports."""

from collections.abc import Sequence
from typing import Protocol

from cipherlens.server.config import Limits, Timeouts
from cipherlens.server.transport.guard import Guarded


class Transport(Protocol):
    """Services on a listener, from `start` to `stop`; made with `Guarded` services."""

    def start(self) -> int:
        """Listen and return the port; health checks are told that nothing is served yet.

        Raises StartupError.
        """
        ...

    def serve(self) -> None:
        """Tell health checks that all is served."""
        ...

    def stop_serving(self) -> None:
        """Tell health checks that nothing is served any more; calls under way go on."""
        ...

    def stop(self, at_most_s: float) -> None:
        """Let what is on its way out leave, end the rest, and return when nothing is at work."""
        ...


class NewTransport(Protocol):
    """Makes a transport of services, such as `GrpcioTransport`."""

    def __call__(
        self,
        services: Sequence[Guarded],
        *,
        listen: str,
        limits: Limits,
        timeouts: Timeouts,
        shares_port: bool = False,
    ) -> Transport:
        """Return it before it listens; whether other processes listen on the port, too."""
