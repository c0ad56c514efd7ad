"""What the clients of both services share."""

from collections.abc import Callable
from typing import Self

import grpc

from cipherlens.client.access import Access
from cipherlens.client.channel import new_channel, unreachable
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
        access: Access,
        channel: grpc.Channel | None = None,
        *,
        sends_secrets: bool = False,
    ) -> None:
        """Make the channel, which connects with the first call, or take the caller's own.

        Args:
            stub: of the service called.
            target: as all below, what `Client` takes.
            deadlines: the same.
            max_message_bytes: the same.
            access: the same.
            channel: the same.
            sends_secrets: whether calls hold what must not be read on the way.
        """
        self.target = target
        self._owns_channel = channel is None
        if channel is None:
            access.check(target, sends_secrets=sends_secrets)
            channel = new_channel(target, access, max_message_bytes)
        self._channel = channel
        metadata = access.call_metadata()
        self._transport = Transport(stub(channel), deadlines or Deadlines(), metadata)
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
        """Close the channel, if it was made here; calls under way end as `Cancelled`."""
        if self._owns_channel:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
