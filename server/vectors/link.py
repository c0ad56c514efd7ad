"""Whether an engine answers, as those found it who asked last."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cipherlens.server.errors import VectorsUnavailable

_log = logging.getLogger(__name__)


class Link:
    """Goes down with the first failure and up again when `found` is called.

    What is done through it while it is down fails at once, so that nobody waits for an engine that
    is known to be gone.
    """

    def __init__(self, place: str) -> None:
        """Take the place of the engine, for people; it is up."""
        self._place = place
        self._lock = threading.Lock()  # guards what follows
        self._losses = 0
        self._is_up = True
        self._told: Callable[[], None] = lambda: None

    @property
    def losses(self) -> int:
        """How often it went down: what was known of the engine's rows before is only believed."""
        return self._losses

    @property
    def is_up(self) -> bool:
        """Whether the engine answers."""
        return self._is_up

    def when_lost(self, told: Callable[[], None]) -> None:
        """Tell somebody whenever it goes down."""
        self._told = told

    def check(self) -> None:
        """Raise VectorsUnavailable while it is down."""
        if not self._is_up:
            raise VectorsUnavailable("the engine of the vectors does not answer")

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Go down if the block finds the engine unavailable."""
        self.check()
        try:
            yield
        except VectorsUnavailable as error:
            self._lose(error)
            raise

    def found(self) -> None:
        """Go up."""
        with self._lock:
            if not self._is_up:
                _log.warning("%s answers again", self._place)
            self._is_up = True

    def _lose(self, error: VectorsUnavailable) -> None:
        with self._lock:
            was_up, self._is_up = self._is_up, False
            self._losses += was_up
        if was_up:
            _log.error("%s is lost: %s", self._place, error.detail)
            self._told()
