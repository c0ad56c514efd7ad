"""Log lines: as text or as JSON, each with the call that it is about, and never a flood of them."""

import json
import logging
import sys
import threading
import time
from datetime import UTC, datetime
from itertools import count
from typing import Any, TextIO

from cipherlens.server.config import LogSettings
from cipherlens.server.observing.seen import current_call

_NO_EXTRAS: dict[str, Any] = {}


def set_up_logs(settings: LogSettings, stream: TextIO = sys.stderr) -> None:
    """Send what the program logs to a stream, as settings say; of other packages, warnings.

    Those of Python's `warnings` too: strangers' pictures make as many as they like.
    """
    handler = logging.StreamHandler(stream)
    handler.addFilter(Bound(settings.lines_per_s))
    handler.setFormatter(JsonLines() if settings.format == "json" else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("cipherlens").setLevel(settings.level.upper())
    logging.captureWarnings(capture=True)


class TextLines(logging.Formatter):
    """Time, level and message; then the fields of a call's line as name=value."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, in which no value can begin another."""
        text = super().format(record)
        for name, value in _fields(record).items():
            text += f" {name}={json.dumps(value) if isinstance(value, str) else value}"
        return text


class JsonLines(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, and fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


class Bound(logging.Filter):
    """Lets pass so many lines a second of one kind: one place in the code that logs.

    What it holds back is counted, and the next line of the kind says how many there were.
    """

    def __init__(self, lines_per_s: int) -> None:
        """Take how many lines of a kind may come in a second."""
        super().__init__()
        self._limit = lines_per_s
        self._lock = threading.Lock()  # guards the table
        self._kinds: dict[tuple[str, int], LinesPerSecond] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line passes."""
        place = record.pathname, record.lineno
        with self._lock:
            if place not in self._kinds:
                self._kinds[place] = LinesPerSecond(self._limit)
            kind = self._kinds[place]
        passed, left_out = kind.take()
        if left_out:
            record.left_out = left_out
        return bool(passed)


class LinesPerSecond:
    """How many lines of a kind the second under way has had."""

    def __init__(self, limit: int) -> None:
        """Take how many it may have."""
        self._limit = limit
        self._lock = threading.Lock()  # guards changes of the fields below, but for _held_back
        self._begin_s = 0.0
        self._passed = 0
        self._held_back = count()  # which counts whatever thread does
        self._told = 0  # of those

    def take(self, wanted: int = 1) -> tuple[int, int]:
        """Return how many of so many may pass, and how many were held back before the first."""
        passed, left_out = self._admitted(wanted) if self._has_room() else (0, 0)
        for _ in range(wanted - passed):
            next(self._held_back)
        return passed, left_out

    def _has_room(self) -> bool:
        """Return whether it is worth while to wait for the lock, as the threads of all calls do."""
        return self._passed < self._limit or time.monotonic() - self._begin_s >= 1

    def _admitted(self, wanted: int) -> tuple[int, int]:
        now = time.monotonic()
        with self._lock:
            if now - self._begin_s >= 1:
                self._begin_s, self._passed = now, 0
            passed = min(wanted, self._limit - self._passed)
            self._passed += passed
            return passed, self._left_out() if passed else 0

    def _left_out(self) -> int:
        """Return how many were held back since it was last told."""
        held_back = next(self._held_back)  # and this look counts as one
        left_out, self._told = held_back - self._told, held_back + 1
        return left_out


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a line tells beside its message: of its call, and of lines left out before it."""
    fields = dict(getattr(record, "fields", _NO_EXTRAS))
    if "request_id" not in fields and (seen := current_call()) is not None and seen.request_id:
        fields["request_id"] = seen.request_id
    if left_out := getattr(record, "left_out", 0):
        fields["left_out"] = left_out
    return fields
