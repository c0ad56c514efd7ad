"""Which positions of an index carry which token, and which of them a filter keeps.

Four bytes for each token of each item, and some 200 for each token that is another than all before.
"""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import TAG_TOKEN_BYTES

Arrays = Mapping[str, NDArray[Any]]

_TYPES = {"tokens": "|u1", "ends": "<i8", "positions": "<u4"}
_NONE: "array[int]" = array("I")


@dataclass(frozen=True, kw_only=True, slots=True)
class TagFilter:
    """Which items are kept, by their tokens: those that fit all three lists.

    any_of: at least one of these, if there are any.
    all_of: all of these.
    none_of: none of these.
    """

    any_of: tuple[bytes, ...] = ()
    all_of: tuple[bytes, ...] = ()
    none_of: tuple[bytes, ...] = ()


class TagPostings:
    """The positions that each token stands at, ascending; those of items that are gone, too.

    Only one thread at a time may append; others may read meanwhile, as what is read is copied
    under Python's own lock. What a position carries never changes.
    """

    def __init__(self) -> None:
        """Make it empty."""
        self._positions: dict[bytes, array[int]] = {}

    def append(self, first: int, tokens: Iterable[bytes]) -> None:
        """Note what items carry, of which the first one stands at a position, the others behind it.

        tokens: of each item all, one behind the other.
        """
        for position, joined in enumerate(tokens, first):
            for start in range(0, len(joined), TAG_TOKEN_BYTES):
                token = joined[start : start + TAG_TOKEN_BYTES]
                self._positions.setdefault(token, array("I")).append(position)

    def among(self, kept: TagFilter) -> "Tagged":
        """Return the filter of rows that keeps those of a filter of tokens."""
        return Tagged(kept, self)

    def at(self, token: bytes, count: int) -> NDArray[np.intp]:
        """Return those of the first positions that carry a token, ascending."""
        copied = self._positions.get(token, _NONE)[:]
        found = np.frombuffer(copied, np.uint32)
        # Of the type that NumPy takes for places: to set by another takes twice as long.
        return found[: np.searchsorted(found, np.uint32(count))].astype(np.intp)

    def count(self, token: bytes) -> int:
        """Return how many positions carry a token."""
        return len(self._positions.get(token, _NONE))

    def copy(self) -> "PostingsCopy":
        """Return all of it as it stands; whoever changes it must wait."""
        return PostingsCopy({token: each[:] for token, each in self._positions.items()})

    @classmethod
    def restored(cls, arrays: Arrays, count: int) -> Self:
        """Return the postings of which `PostingsCopy.arrays` has made arrays, of so many positions.

        Raises LookupError or ValueError if no postings can have made them.
        """
        _check(arrays, count)
        postings = cls()
        tokens, positions = arrays["tokens"].tobytes(), arrays["positions"]
        start = 0
        for number, end in enumerate(arrays["ends"].tolist()):
            token = tokens[number * TAG_TOKEN_BYTES : (number + 1) * TAG_TOKEN_BYTES]
            postings._positions[token] = _numbers(positions[start:end])
            start = end
        return postings


@dataclass(frozen=True, slots=True)
class Tagged:
    """The rows of one index that a filter of tokens keeps; see `cipherlens.server.index.RowFilter`.

    It is compared by the filter alone, so it must never be shown to another index.
    """

    kept: TagFilter
    _postings: TagPostings

    def mask(self, count: int) -> NDArray[np.bool_]:
        """Return which of the first positions are kept, (count,) bool."""
        kept, at = self.kept, self._postings.at
        mask = np.full(count, not kept.any_of)
        for token in kept.any_of:
            mask[at(token, count)] = True
        for token in kept.all_of:
            carrying = np.zeros(count, bool)
            carrying[at(token, count)] = True
            mask &= carrying
        for token in kept.none_of:
            mask[at(token, count)] = False
        return mask

    def most(self, count: int) -> int:
        """Return how many of the first positions are kept at most."""
        kept, carrying = self.kept, self._postings.count
        bounds = [count, *map(carrying, kept.all_of)]
        if kept.any_of:
            bounds.append(sum(map(carrying, kept.any_of)))
        return min(bounds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tagged) and self.kept == other.kept

    def __hash__(self) -> int:
        return hash(self.kept)


class PostingsCopy:
    """The postings of an index at one moment."""

    def __init__(self, positions: Mapping[bytes, "array[int]"]) -> None:
        self._positions = positions

    def only(self, kept: NDArray[np.int64]) -> TagPostings:
        """Return the postings of those positions, ascending, numbered anew."""
        postings = TagPostings()
        last = max((each[-1] for each in self._positions.values()), default=0)
        numbers = np.full(max(last, kept.max(initial=0)) + 1, -1)
        numbers[kept] = np.arange(len(kept))
        for token, each in self._positions.items():
            moved = numbers[np.frombuffer(each, np.uint32)]
            if (moved >= 0).any():
                postings._positions[token] = _numbers(moved[moved >= 0])
        return postings

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays.

        tokens: uint8, one behind the other. ends: (tokens,) int64, where the positions of each end.
        positions: uint32.
        """
        counts = [len(each) for each in self._positions.values()]
        return {
            "tokens": np.frombuffer(b"".join(self._positions), np.uint8),
            "ends": np.cumsum(counts, dtype="<i8"),
            "positions": np.frombuffer(b"".join(map(bytes, self._positions.values())), "<u4"),
        }


def _check(arrays: Arrays, count: int) -> None:
    """Raise unless there are positions below the count for every token, ascending."""
    tokens, ends, positions = (arrays[name] for name in _TYPES)
    found = {name: (arrays[name].dtype.str, arrays[name].ndim) for name in _TYPES}
    if found != {name: (kind, 1) for name, kind in _TYPES.items()}:
        raise ValueError("the arrays are not those of postings")
    starts = np.concatenate([[0], ends])
    if len(tokens) != TAG_TOKEN_BYTES * len(ends) or starts[-1] != len(positions):
        raise ValueError("the ends of postings are not those of their tokens")
    rises = np.diff(positions.astype(np.int64), prepend=-1) > 0
    rises[starts[:-1][starts[:-1] < len(positions)]] = True  # where another token begins
    if (np.diff(starts) <= 0).any() or not rises.all():
        raise ValueError("the positions of postings must ascend for each token")
    if positions.max(initial=0) >= max(count, 1):
        raise ValueError(f"postings must have positions below {count}")


def _numbers(values: NDArray[Any]) -> "array[int]":
    numbers = array("I")
    numbers.frombytes(values.astype("<u4").tobytes())
    return numbers
