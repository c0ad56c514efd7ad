"""How far a measurement is, on standard error: what it prints on standard output is its result."""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

_SILENT_S = 2.0

_Item = TypeVar("_Item")


def told(what: str, items: Sequence[_Item]) -> Iterator[_Item]:
    """Yield the items, with a line of progress every few seconds."""
    started = last = time.monotonic()
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last >= _SILENT_S:
            left_s = (now - started) / number * (len(items) - number)
            say(f"{what}: {number} of {len(items)}, {left_s:.0f} s left")
            last = now


def say(line: str) -> None:
    """Print a line of progress."""
    print(line, file=sys.stderr, flush=True)
