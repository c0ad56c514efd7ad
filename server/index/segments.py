"""Inverted lists in segments, so that rows are added without touching what searches read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.untyped import faiss

# A segment this many times as large as the next one is left alone. With 8, a row is copied some 15
# times while a collection grows to 100,000, and a search meets two or three segments.
_RATIO = 8
_EVERY_ID = (faiss.InvertedLists.SUBSET_TYPE_ID_RANGE, 0, 2**62)


@dataclass(frozen=True, slots=True)
class Segment:
    """The lists of some consecutive rows; never changed once built.

    index: a FAISS IVF index whose ids are positions.
    rows: how many it covers, those masked when it was built included; they are left out.
    """

    index: Any
    rows: int


def filled(index: Any, snapshot: Snapshot, lists: NDArray[np.int32], first: int) -> Segment:
    """Return a segment of the rows from first on for which there are lists.

    index: empty, and the segment's from here on.
    """
    rows = snapshot.rows[first : first + len(lists)]
    chosen = lists.astype(np.int64)
    if snapshot.alive is not None:
        chosen[~snapshot.alive[first : first + len(lists)]] = -1  # FAISS puts these nowhere
    positions = np.arange(first, first + len(rows))
    index.add_core(
        len(rows), faiss.swig_ptr(rows), faiss.swig_ptr(positions), faiss.swig_ptr(chosen)
    )
    return Segment(index, len(rows))


def with_newest(
    segments: tuple[Segment, ...], newest: Segment, empty: Callable[[], Any]
) -> tuple[Segment, ...]:
    """Return segments with one more, merged so that each is far larger than the next.

    empty: makes an empty index like those in the segments.
    """
    *older, last = segments
    if newest.rows * _RATIO < last.rows:
        return (*segments, newest)
    both = _merged(last, newest, empty())
    return with_newest(tuple(older), both, empty) if older else (both,)


def _merged(left: Segment, right: Segment, index: Any) -> Segment:
    """Return both in one, copied list by list; index is an empty one."""
    for part in (left, right):
        part.index.invlists.copy_subset_to(index.invlists, *_EVERY_ID)
    index.ntotal = left.rows + right.rows
    return Segment(index, left.rows + right.rows)
