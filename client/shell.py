"""What the clients of both services share."""

from collections.abc import Callable
from typing import Self

import grpc

from cipherlens.client.channel import channel_options, unreachable
from cipherlens.client.core.deadlines import Deadlines
from cipherlens.client.transport import Transport


class Shell:
    """A channel to one server, closed as a context manager, and the transport over it.

    Attributes:
        target: the server's address.
    """

    def __init__(
        self,
        stub: Callable[[grpc.Channel], object],
        target: str,
        deadlines: Deadlines | None,
        max_message_bytes: int,
    ) -> None:
        """Make the channel; it connects with the first call. `stub` is of the service called."""
        self.target = target
        self._channel = grpc.insecure_channel(target, options=channel_options(max_message_bytes))
        self._transport = Transport(stub(self._channel), deadlines or Deadlines())
        self._run = self._transport.run

    @property
    def deadlines(self) -> Deadlines:
        """Return how long each kind of call may take where the call does not say."""
        return self._transport.deadlines

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
            raise unreachable(self.target, timeout_s) from None

    def close(self) -> None:
        """Close the channel; calls under way end as `Cancelled`."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
