"""One call whose answer all get who ask while it is under way."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

_Answer = TypeVar("_Answer")


class SharedAnswer(Generic[_Answer]):
    """Asks once for all that wait; who comes after the answer makes it ask anew.

    For the tasks of one event loop.
    """

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, _Answer]]) -> None:
        """Take how to ask."""
        self._ask = ask
        self._asking: asyncio.Task[_Answer] | None = None

    async def get(self) -> _Answer:
        """Return the answer, or raise what the call raised.

        Whoever is cancelled leaves alone; a call that all have left goes on to its own deadline.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)
