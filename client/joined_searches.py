"""Searches of one event loop that wait at the same time, sent as one request."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from copy import copy

import grpc

from cipherlens.client.core.call import Call
from cipherlens.client.core.collection import Limits
from cipherlens.client.core.item import Hits
from cipherlens.client.core.question import Question
from cipherlens.client.errors import Cancelled, DeadlineExceeded, Unavailable

Ask = Callable[[Call[list[Hits]], float], Awaitable[list[Hits]]]
"""Sends a search, within so many seconds, and returns the hits of its queries."""

_AT_ONCE = 2  # requests of a question under way: one is answered while the other travels
_MAX_JOINED = 64  # so that nobody waits for the ranking of hundreds
_LANES_KEPT = 64  # of questions that are asked again and again


class _Waiting:
    """One query whose caller waits, at most until a time of the loop's clock.

    Attributes:
        when_gone: called when the caller has left without his hits.
    """

    __slots__ = ("_hits", "ends_at", "row", "when_gone")

    def __init__(self, row: bytes, timeout_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.row = row
        self.ends_at = loop.time() + timeout_s
        self.when_gone: Callable[[], object] = _nothing
        self._hits: asyncio.Future[list[Hits]] = loop.create_future()

    @property
    def is_over(self) -> bool:
        """Whether the caller waits no more."""
        return self._hits.done()

    async def hits(self) -> list[Hits]:
        """Wait for what `give` or `fail` brings. Raises DeadlineExceeded if it comes too late."""
        timer = self._hits.get_loop().call_at(self.ends_at, self._expire)
        try:
            return await self._hits
        except asyncio.CancelledError:
            self.when_gone()
            raise
        finally:
            timer.cancel()

    def give(self, hits: list[Hits]) -> None:
        if not self._hits.done():
            self._hits.set_result(hits)

    def fail(self, failure: Exception) -> None:
        if not self._hits.done():
            self._hits.set_exception(failure)

    def _expire(self) -> None:
        code = grpc.StatusCode.DEADLINE_EXCEEDED
        self.fail(DeadlineExceeded("the answer did not come in time", code=code))
        self.when_gone()


class _Lane:
    """What is under way for a question, and who waits.

    Attributes:
        under_way: requests that have left, and those about to.
        about_to_leave: whether one is to leave at the end of this turn of the loop.
    """

    __slots__ = ("about_to_leave", "under_way", "waiting")

    def __init__(self) -> None:
        self.under_way = 0
        self.about_to_leave = False
        self.waiting: deque[_Waiting] = deque()

    def take(self, at_most: int) -> list[_Waiting]:
        """Return the first of those who still wait."""
        group: list[_Waiting] = []
        while self.waiting and len(group) < at_most:
            each = self.waiting.popleft()
            if not each.is_over:
                group.append(each)
        return group


class JoinedSearches:
    """Joins searches by one query that ask the same question.

    Nobody waits for company that is not there: the first goes at once, and what comes while as many
    requests as are useful are under way goes together when one of them is answered. What one caller
    does, cancelling or letting his time run out, the others do not notice.
    """

    def __init__(self, ask: Ask, limits: Callable[[], Awaitable[Limits]]) -> None:
        """Take how to send a search, and how to learn what the server accepts."""
        self._ask = ask
        self._limits = limits
        self._accepted: Limits | None = None
        self._lanes: dict[Question, _Lane] = {}
        self._flights: set[asyncio.Task[None]] = set()  # a loop keeps tasks only weakly

    async def search(self, question: Question, row: bytes, timeout_s: float) -> list[Hits]:
        """Return the hits of one row, in a list, as a call by itself would; raises as it would."""
        lane = self._lanes.get(question)
        if lane is None:
            lane = self._lanes[question] = _Lane()
        if lane.about_to_leave or lane.under_way >= _AT_ONCE:
            waiting = _Waiting(row, timeout_s)
            lane.waiting.append(waiting)
            return await waiting.hits()
        lane.under_way += 1
        try:
            return await self._ask(question.call(row), timeout_s)
        finally:
            if lane.waiting:
                self._land(question, lane)
            else:
                self._leave(question, lane)

    def _land(self, question: Question, lane: _Lane) -> None:
        """Give the place of a request that has ended to those who wait.

        Those who were just answered have their turn first: who asks again at once goes along.
        """
        lane.about_to_leave = True
        asyncio.get_running_loop().call_soon(self._depart, question, lane)

    def _depart(self, question: Question, lane: _Lane) -> None:
        lane.about_to_leave = False
        if lane.waiting:
            flight = asyncio.create_task(self._fly(question, lane))
            self._flights.add(flight)
            flight.add_done_callback(self._flights.discard)
        else:
            self._leave(question, lane)

    def _leave(self, question: Question, lane: _Lane) -> None:
        lane.under_way -= 1
        if not lane.under_way and len(self._lanes) > _LANES_KEPT:
            del self._lanes[question]

    async def _fly(self, question: Question, lane: _Lane) -> None:
        """Send what waits as one request, and share out what comes back."""
        try:
            if self._accepted is None:
                await self._learn_limits()
            group = lane.take(self._at_most(question))
            _end_with(group)
            if len(group) > 1:
                await self._answer_together(question, group)
            elif group:
                await self._answer_alone(question, group[0])
        finally:
            self._land(question, lane)

    async def _learn_limits(self) -> None:
        """Ask what the server accepts; one that does not say is asked again another time."""
        with suppress(Exception):  # who then asks alone is told what it is
            self._accepted = await self._limits()

    def _at_most(self, question: Question) -> int:
        """Return how many go together: one by one those of a server that does not say."""
        if self._accepted is None:
            return 1
        return min(_MAX_JOINED, question.max_queries(self._accepted))

    async def _answer_together(self, question: Question, group: list[_Waiting]) -> None:
        left_s = max(each.ends_at for each in group) - asyncio.get_running_loop().time()
        call = question.call(b"".join([each.row for each in group]), len(group))
        try:
            found = await self._ask(call, left_s)
        except (Cancelled, Unavailable) as failure:  # which are no query's fault
            for each in group:
                each.fail(copy(failure))
        except Exception:  # noqa: BLE001 - whatever it is, each shall be told what is his
            await asyncio.gather(*(self._answer_alone(question, each) for each in group))
        else:
            for each, hits in zip(group, found, strict=True):
                each.give([hits])

    async def _answer_alone(self, question: Question, each: _Waiting) -> None:
        left_s = max(0.001, each.ends_at - asyncio.get_running_loop().time())
        try:
            hits = await self._ask(question.call(each.row), left_s)
        except Exception as failure:  # noqa: BLE001 - it is raised where the caller waits
            each.fail(failure)
        else:
            each.give(hits)


def _end_with(group: list[_Waiting]) -> None:
    """End the running task when all of the group have left."""
    flight = asyncio.current_task()

    def someone_left() -> None:
        if flight is not None and all(each.is_over for each in group):
            flight.cancel()

    for each in group:
        each.when_gone = someone_left


def _nothing() -> None:
    """Do nothing: the query has not been sent."""
