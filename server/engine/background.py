"""Slow work on collections, one piece at a time, beside the searches."""

import logging
import threading
import time
from collections.abc import Callable

from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.errors import NotFound, ServerError
from cipherlens.server.priority import give_way

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 60.0


class Background:
    """One worker thread over the collections that want something done.

    Collections take turns, a step each. One whose step fails is tried again after a pause that
    doubles, so that nothing that was begun is ever left for good.
    """

    def __init__(self, step: Callable[[LiveCollection], None]) -> None:
        """Start the worker. `step` does one piece of what a collection wants."""
        self._step = step
        # Guards _waiting and _closed; notified when either changes.
        self._changed = threading.Condition()
        self._waiting: dict[LiveCollection, float] = {}  # and when each is due
        self._closed = False
        self._failures: dict[LiveCollection, int] = {}  # in a row; of the worker alone
        self._worker = threading.Thread(target=self._run, name="background", daemon=True)
        self._worker.start()

    @property
    def closed(self) -> bool:
        """Whether the step under way is the last one."""
        return self._closed

    def consider(self, live: LiveCollection) -> None:
        """Look at the collection soon, if it wants anything."""
        if not live.wants_work:
            return
        with self._changed:
            self._waiting.setdefault(live, 0.0)
            self._changed.notify()

    def close(self) -> None:
        """Stop after the step under way; what is left is taken up again at the next start."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join()

    def _run(self) -> None:
        give_way()
        while (live := self._next()) is not None:
            self._attend(live)

    def _attend(self, live: LiveCollection) -> None:
        try:
            self._step(live)
        except NotFound:
            self._failures.pop(live, None)
        except ServerError as error:
            _log.info("collection %r: put off: %s", live.collection.name, error)
            self._put_off(live)
        except Exception:  # noqa: BLE001 - one collection's failure must not end all work
            _log.exception("collection %r: background work failed", live.collection.name)
            self._put_off(live)
        else:
            self._failures.pop(live, None)
            self.consider(live)

    def _next(self) -> LiveCollection | None:
        """Wait for a collection that is due and take it; None when closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for live, due in self._waiting.items():
                    if due <= now:
                        del self._waiting[live]
                        return live
                soonest = min(self._waiting.values(), default=None)
                self._changed.wait(None if soonest is None else soonest - now)
            return None

    def _put_off(self, live: LiveCollection) -> None:
        failures = self._failures.get(live, 0)
        self._failures[live] = failures + 1
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10))
        with self._changed:
            self._waiting[live] = time.monotonic() + pause_s
