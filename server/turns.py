"""A lock whose waiters are served together."""

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class _Waiter(Generic[_Job, _Result]):
    """A job, its outcome, and the thread that waits for it."""

    def __init__(self, job: _Job) -> None:
        self.job = job
        self.outcome: _Result | Exception | None = None
        self._woken = threading.Lock()
        self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()

    def wait(self) -> None:
        self._woken.acquire()


class SharedTurns(Generic[_Job, _Result]):
    """Jobs that wait for a lock, done together in one turn by the thread that gets it.

    Nobody waits for company: a turn takes what is there when the lock is free. What comes while it
    lasts is the next turn, led by the first that came, so no thread works for others for long.
    """

    def __init__(
        self,
        lock: AbstractContextManager[Any],
        serve: Callable[[Sequence[_Job]], Sequence[_Result | Exception]],
    ) -> None:
        """Take the lock, and what does jobs while it is held: it returns as many outcomes.

        An exception among them is raised to the one who gave the job; one that `serve` raises
        itself, to all.
        """
        self._lock = lock
        self._serve = serve
        self._guard = threading.Lock()  # guards the two fields below; never held while waiting
        self._waiting: list[_Waiter[_Job, _Result]] = []
        self._is_led = False  # whether some thread will look at what is waiting

    def take(self, job: _Job) -> _Result:
        """Have a job done and return its result, or raise what it has failed with."""
        mine: _Waiter[_Job, _Result] = _Waiter(job)
        with self._guard:
            self._waiting.append(mine)
            leads = not self._is_led
            self._is_led = True
        if not leads:
            mine.wait()
        if mine.outcome is None:  # the first that came, or told to lead
            self._lead()
        assert mine.outcome is not None
        if isinstance(mine.outcome, Exception):
            raise mine.outcome
        return mine.outcome

    def _lead(self) -> None:
        """Do all that waits once the lock is free, and tell the first of the next to lead."""
        with self._lock:
            with self._guard:
                turn, self._waiting = self._waiting, []
            outcomes = self._outcomes([each.job for each in turn])
        with self._guard:
            following = self._waiting[0] if self._waiting else None
            self._is_led = following is not None
        if following is not None:
            following.wake()
        for each, outcome in zip(turn, outcomes, strict=True):
            each.outcome = outcome
            each.wake()

    def _outcomes(self, jobs: Sequence[_Job]) -> Sequence[_Result | Exception]:
        try:
            return self._serve(jobs)
        except Exception as error:  # noqa: BLE001 - it is raised again, to everyone
            return [error] * len(jobs)
