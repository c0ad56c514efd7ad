"""Work that threads do ahead of whoever takes its results, in order and within bounds."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Entry = TypeVar("_Entry")
_Result = TypeVar("_Result")


def ahead(
    work: Callable[[_Entry], _Result],
    entries: Iterable[_Entry],
    size_bytes: Callable[[_Entry], int],
    *,
    threads: int,
    max_entries: int,
    max_bytes: int,
) -> Generator[_Result, None, None]:
    """Yield what `work` makes of every entry, in their order, made by threads ahead of time.

    Not taken yet are at most so many results, of entries of at most so many bytes; an entry that is
    larger than that is worked on alone. A failure of `work` comes in its place in the order. When
    the iterator is closed, what has not begun is dropped and nobody waits for what has.
    """
    pool = ThreadPoolExecutor(threads, "ahead")
    begun: deque[tuple[int, Future[_Result]]] = deque()
    total = 0
    try:
        for entry in entries:
            size = size_bytes(entry)
            while begun and (total + size > max_bytes or len(begun) == max_entries):
                done, result = begun.popleft()
                yield result.result()
                total -= done
            begun.append((size, pool.submit(work, entry)))
            total += size
        while begun:
            yield begun.popleft()[1].result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
