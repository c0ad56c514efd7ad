"""A folder that is watched: when something in it has changed and come to rest."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cipherlens.client.folder.walk import Walk


def changes(
    folder: Path, every_s: float, *, wait: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Yield at once, and then whenever the folder is another than it was at the last yield.

    It is looked at again and again, so that it may lie anywhere, on another machine too. While
    files come or grow nothing is yielded: two looks must have found the same.

    Args:
        folder: it and those below it.
        every_s: seconds between two looks.
        wait: waits for so many seconds.

    Raises:
        NotADirectoryError: there is no such folder, or not any more.
    """
    told = before = _look(folder)
    yield
    while True:
        wait(every_s)
        found = _look(folder)
        if found == before and found != told:
            told = found
            yield
        before = found


def _look(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every picture file."""
    files = Walk(folder, max_name_bytes=2**16).files
    return {each.name: (each.size_bytes, each.changed_ns) for each in files}
