"""One server, reached through one channel that threads may share."""

from typing import Self

import grpc

from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES, Deadlines, open_channel
from cipherlens.client.errors import Unavailable


class Connection:
    """A channel to a server and the deadlines of its calls; closes as a context manager.

    Attributes:
        target: the server's address.
        deadlines: how long each kind of call may take where the call does not say.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Make the channel; it connects with the first call.

        Args:
            target: "HOST:PORT", "[IPv6]:PORT" or "unix:PATH".
            deadlines: how long each kind of call may take.
            max_message_bytes: the largest message sent or taken.
        """
        self.target = target
        self.deadlines = Deadlines() if deadlines is None else deadlines
        self._channel = open_channel(target, max_message_bytes)

    def wait_until_reachable(self, timeout_s: float) -> None:
        """Return once the server takes connections.

        Raises:
            Unavailable: it does not within timeout_s.
        """
        ready = grpc.channel_ready_future(self._channel)
        try:
            ready.result(timeout=timeout_s)
        except grpc.FutureTimeoutError:
            ready.cancel()
            raise Unavailable(
                f"no server answers at {self.target} within {timeout_s:g} s",
                code=grpc.StatusCode.UNAVAILABLE,
            ) from None

    def close(self) -> None:
        """Close the channel; calls under way end as `Cancelled`."""
        self._channel.close()

    def __enter__(self) -> Self:
        """Return this connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the channel."""
        self.close()
