"""What the clients of both services share."""

from typing import Self

from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.transport import Transport


class Shell:
    """A transport to one server, closed as a context manager."""

    def __init__(self, transport: Transport) -> None:
        """Take the transport."""
        self._transport = transport
        self._run = transport.run

    @property
    def target(self) -> str:
        """Return the server's address."""
        return self._transport.target

    @property
    def deadlines(self) -> Deadlines:
        """Return how long each kind of call may take where the call does not say."""
        return self._transport.deadlines

    def wait_until_reachable(self, timeout_s: float) -> None:
        """Return once the server takes connections.

        Raises:
            Unavailable: it does not within timeout_s.
        """
        self._transport.wait_until_reachable(timeout_s)

    def close(self) -> None:
        """Close the channel; calls under way end as `Cancelled`."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Return this client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the channel."""
        self.close()
