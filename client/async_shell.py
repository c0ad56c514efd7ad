"""What an asynchronous client is made of: `Shell`, awaited."""

import asyncio
from collections.abc import Callable
from functools import cached_property
from typing import Self

import grpc

from cipherlens.client.access import Access
from cipherlens.client.async_transport import AsyncTransport
from cipherlens.client.channel import new_async_channel, unreachable
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
        access: Access,
        channel: grpc.aio.Channel | None = None,
    ) -> None:
        """Take what the channel is made of, or the caller's own; see `Shell`."""
        if channel is None:
            access.check(target)
        self.target = target
        self._deadlines = deadlines or Deadlines()
        self._stub = stub
        self._max_message_bytes = max_message_bytes
        self._access = access
        self._given = channel

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        """Return the channel, made with the first call: it belongs to the loop it is made in."""
        if self._given is not None:
            return self._given
        return new_async_channel(self.target, self._access, self._max_message_bytes)

    @cached_property
    def _transport(self) -> AsyncTransport:
        metadata = self._access.call_metadata()
        return AsyncTransport(self._stub(self._channel), self._deadlines, metadata)

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
        """Close the channel, if it was made here; calls under way end as `Cancelled`."""
        if self._given is None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
