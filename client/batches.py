"""Splitting what is sent into messages that the server accepts."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Entry = TypeVar("_Entry")

MESSAGE_MARGIN_BYTES = 256 * 1024
"""Room in a message for what stands around the entries."""


def batched(
    entries: Iterable[_Entry],
    size_bytes: Callable[[_Entry], int],
    *,
    max_bytes: int,
    max_items: int,
) -> Iterator[list[_Entry]]:
    """Yield the entries in their order, in batches within both limits.

    Entries are taken one by one, so that no more than a batch is in memory. An entry that is
    larger than max_bytes stands alone: whoever takes it says what is wrong.
    """
    batch: list[_Entry] = []
    total = 0
    for entry in entries:
        size = size_bytes(entry)
        if batch and (total + size > max_bytes or len(batch) == max_items):
            yield batch
            batch, total = [], 0
        batch.append(entry)
        total += size
    if batch:
        yield batch
