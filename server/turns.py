"""A lock whose waiters are served together."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from cipherlens.server.call import Call
from cipherlens.server.locks import ANY_CALL, LONGEST_WAIT_S, CallLock

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class _Waiter(Generic[_Job, _Result]):
    """A job, its outcome, and the thread that waits for it no longer than its call may."""

    def __init__(self, job: _Job, call: Call) -> None:
        self.job = job
        self.call = call
        self.outcome: _Result | Exception | None = None
        self.leads = False
        self._woken = threading.Lock()
        self._woken.acquire()

    def wake(self) -> None:
        self._woken.release()

    def wait(self, at_most_s: float = -1) -> bool:
        return self._woken.acquire(timeout=at_most_s)


class SharedTurns(Generic[_Job, _Result]):
    """Jobs that wait for a lock, done together in one turn by the thread that gets it.

    Nobody waits for company: a turn takes what is there when the lock is free. What comes while it
    lasts is the next turn, led by the first that came, so no thread works for others for long. A
    job whose call can wait no longer is withdrawn, unless it is being done.
    """

    def __init__(
        self,
        lock: CallLock,
        serve: Callable[[Sequence[_Job], Call], Sequence[_Result | Exception]],
    ) -> None:
        """Take the lock, and what does jobs while it is held: it returns as many outcomes.

        It is given the call of the one who can wait longest, too. An exception among the outcomes
        is raised to the one who gave the job; one that `serve` raises itself, to all.
        """
        self._lock = lock
        self._serve = serve
        # Guards the two fields below and who leads; never held while waiting.
        self._guard = threading.Lock()
        self._waiting: list[_Waiter[_Job, _Result]] = []
        self._is_led = False  # whether some thread will look at what is waiting

    def take(self, job: _Job, call: Call = ANY_CALL) -> _Result:
        """Have a job done and return its result, or raise what it has failed with.

        Raises DeadlineExpired, CallCancelled or StorageUnavailable where it waited in vain.
        """
        mine: _Waiter[_Job, _Result] = _Waiter(job, call)
        with self._guard:
            self._waiting.append(mine)
            mine.leads, self._is_led = not self._is_led, True
            is_told = not mine.leads  # once, even if it is before this thread goes on
        if is_told and not mine.wait(call.remaining_s(LONGEST_WAIT_S)):
            if self._withdrawn(mine):
                raise self._lock.gave_up(call)
            mine.wait()  # it is being done, or is to lead
        if mine.outcome is None:
            self._lead(mine)
        assert mine.outcome is not None
        if isinstance(mine.outcome, Exception):
            raise mine.outcome
        return mine.outcome

    def _withdrawn(self, mine: _Waiter[_Job, _Result]) -> bool:
        with self._guard:
            if mine.leads or mine not in self._waiting:
                return False
            self._waiting.remove(mine)
            return True

    def _lead(self, mine: _Waiter[_Job, _Result]) -> None:
        """Do all that waits once the lock is free, and tell the first of the next to lead."""
        try:
            self._lock.acquire(mine.call)
        except BaseException:
            with self._guard:
                self._waiting.remove(mine)
            self._hand_on()
            raise
        try:
            with self._guard:
                turn, self._waiting = self._waiting, []
            outcomes = self._outcomes(turn)
        finally:
            self._lock.release()
        self._hand_on()
        for each, outcome in zip(turn, outcomes, strict=True):
            each.outcome = outcome
            each.wake()

    def _hand_on(self) -> None:
        """Tell the first of those that wait to lead."""
        with self._guard:
            following = self._waiting[0] if self._waiting else None
            self._is_led = following is not None
            if following is not None:
                following.leads = True
                following.wake()

    def _outcomes(self, turn: Sequence[_Waiter[_Job, _Result]]) -> Sequence[_Result | Exception]:
        try:
            return self._serve([each.job for each in turn], _most_patient(turn))
        except Exception as error:  # noqa: BLE001 - it is raised again, to everyone
            return [error] * len(turn)


def _most_patient(turn: Sequence[_Waiter[_Job, _Result]]) -> Call:
    """Return a call that waits as long as the last of them does."""
    ends = [each.call.expires_at for each in turn]
    latest = [each for each in ends if each is not None]
    return Call(max(latest) if len(latest) == len(ends) else None)
