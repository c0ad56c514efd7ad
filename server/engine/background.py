"""Slow work, one piece at a time, beside the searches."""

import logging
import threading
import time
from abc import ABC, abstractmethod
from typing import Protocol

from cipherlens.server.errors import NotFound, ServerError
from cipherlens.server.priority import give_way

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0


class Chore(Protocol):
    """Work that is done in pieces; equal ones are one."""

    @property
    def name(self) -> str:
        """What it is, for the log."""
        ...

    @property
    def wants_work(self) -> bool:
        """Whether a piece is left to do."""
        ...

    def do_some(self) -> None:
        """Do a piece. Raises NotFound where there is nothing to do it on any more."""
        ...


class Errand(ABC):
    """A `Chore` of the whole folder, done when something has made it wanted.

    wants_work: set before it is considered; who begins it while it is done finds it wanting.
    """

    def __init__(self, background: "Background") -> None:
        self._background = background
        self.wants_work = False

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is, for the log."""

    def begin(self) -> None:
        """Have it done soon."""
        self.wants_work = True
        self._background.consider(self)

    def do_some(self) -> None:
        """Do a piece. When that fails the background tries it again."""
        self.wants_work = False
        self._do()

    @abstractmethod
    def _do(self) -> None:
        """Do a piece, and say if there is more to do."""


class Background:
    """One worker thread over the chores that want something done.

    They take turns, a piece each. One whose piece fails is tried again after a pause that doubles,
    so that nothing that was begun is ever left for good.
    """

    def __init__(self) -> None:
        """Start the worker."""
        # Guards _waiting and _closed; notified when either changes.
        self._changed = threading.Condition()
        self._waiting: dict[Chore, float] = {}  # and when each is due
        self._closed = False
        self._failures: dict[Chore, int] = {}  # in a row; only the worker changes it
        self._worker = threading.Thread(target=self._run, name="background", daemon=True)
        self._worker.start()

    @property
    def closed(self) -> bool:
        """Whether the step under way is the last one."""
        return self._closed

    def consider(self, chore: Chore) -> None:
        """Do a piece of it soon, if it wants anything; after a failure, when its pause is over."""
        if not chore.wants_work:
            return
        with self._changed:
            due = self._waiting.get(chore)
            if due is None or chore not in self._failures:
                self._waiting[chore] = 0.0
            self._changed.notify()

    def consider_in(self, chore: Chore, pause_s: float) -> None:
        """Do a piece of it after a pause, whether it wants anything by now or not."""
        with self._changed:
            self._waiting.setdefault(chore, time.monotonic() + pause_s)
            self._changed.notify()

    def close(self) -> None:
        """Stop after the step under way; what is left is taken up again at the next start."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join()

    def _run(self) -> None:
        give_way()
        while (chore := self._next()) is not None:
            self._attend(chore)

    def _attend(self, chore: Chore) -> None:
        try:
            chore.do_some()
        except NotFound:
            self._failures.pop(chore, None)
        except ServerError as error:
            _log.info("%s: put off: %s", chore.name, error)
            self._put_off(chore)
        except Exception:  # noqa: BLE001 - one chore's failure must not end all work
            _log.exception("%s: background work failed", chore.name)
            self._put_off(chore)
        else:
            self._failures.pop(chore, None)
            self.consider(chore)

    def _next(self) -> Chore | None:
        """Wait for a chore that is due and take it; None when closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for chore, due in self._waiting.items():
                    if due <= now:
                        del self._waiting[chore]
                        return chore
                soonest = min(self._waiting.values(), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
            return None

    def _put_off(self, chore: Chore) -> None:
        failures = self._failures.get(chore, 0)
        self._failures[chore] = failures + 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10))
        with self._changed:
            self._waiting[chore] = time.monotonic() + pause_s
