"""Splitting what is sent into messages that the server accepts."""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeVar

_Entry = TypeVar("_Entry")

MESSAGE_MARGIN_BYTES = 256 * 1024
"""Room in a message for what stands around the entries."""

MAX_BATCH_BYTES = 8 * 2**20
"""What one batch of pictures holds at most, where none of them alone is larger."""

MAX_BATCH_PICTURES = 64


def batched(
    entries: Iterable[_Entry],
    size_bytes: Callable[[_Entry], int],
    *,
    max_bytes: int = MAX_BATCH_BYTES,
    max_items: int = MAX_BATCH_PICTURES,
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


def check_count(name: str, entries: Sized, count: int, of: str = "item_ids") -> None:
    """Raise ValueError unless there are as many entries as there must be; names both numbers."""
    if len(entries) != count:
        raise ValueError(f"{name} must be as many as the {count} {of}, got {len(entries)}")


def as_many(name: str, entries: Iterable[_Entry], count: int) -> Iterator[_Entry]:
    """Yield entries of which there must be as many as item ids.

    Raises:
        ValueError: there are not. If they have a length, before the first is taken; if not, when
            there is one too many, or they end too early: before the last batch is cut.
    """
    if isinstance(entries, Sized):
        check_count(name, entries, count)
    found = 0
    for found, entry in enumerate(entries, 1):
        if found > count:
            raise ValueError(f"{name} must be as many as the {count} item_ids, got more")
        yield entry
    check_count(name, range(found), count)
