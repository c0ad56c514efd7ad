"""What an asynchronous client is made of: `Shell`, awaited."""

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Self

import grpc

from cipherlens.client.async_transport import AsyncTransport
from cipherlens.client.channel import channel_options, unreachable
from cipherlens.client.core.deadlines import Deadlines


class AsyncShell:
    """A channel to one server, closed as an asynchronous context manager, and its transport.

    Attributes:
        target: the server's address.
    """

    def __init__(
        self,
        stub: Callable[[grpc.aio.Channel], object],
        target: str,
        deadlines: Deadlines | None,
        max_message_bytes: int,
    ) -> None:
        """Take what the channel is made of. `stub` is of the service called."""
        self.target = target
        self._deadlines = deadlines or Deadlines()
        self._stub = stub
        self._options = channel_options(max_message_bytes)

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        """Return the channel, made with the first call: it belongs to the loop it is made in."""
        return grpc.aio.insecure_channel(self.target, options=self._options)

    @cached_property
    def _transport(self) -> AsyncTransport:
        return AsyncTransport(self._stub(self._channel), self._deadlines)

    @property
    def deadlines(self) -> Deadlines:
        """Return how long each kind of call may take where the call does not say."""
        return self._deadlines

    async def wait_until_reachable(self, timeout_s: float) -> None:
        """Return once the server takes connections; raises as `Client` does."""
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout_s)
        except TimeoutError:
            raise unreachable(self.target, timeout_s) from None

    async def close(self) -> None:
        """Close the channel; calls under way end as `Cancelled`."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
