"""The item behind each position of an index, and the position of each item."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, count
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_64_intdigest

_NOWHERE = -1

Arrays = Mapping[str, NDArray[Any]]

_TYPES = {"text": "|u1", "ends": "<i8", "revisions": "<i8", "hashes": "<u8", "order": "<u4"}
_LAYOUT = {name: (kind, 1) for name, kind in _TYPES.items()}


class ItemNames:
    """Ids and revisions by position, and the position at which each id is found.

    Only one thread at a time may change it; `item_id` and `revisions` may be read meanwhile.

    Ids lie one behind the other as UTF-8: a million of them as texts would take 70 MB more. What
    was restored is found through sorted hashes, 12 bytes an item; what came later through a
    dictionary, which takes some 150.

    revisions: by position.
    """

    def __init__(self) -> None:
        """Make it empty."""
        self._text = bytearray()
        self._ends = array("q", [0])
        self.revisions = array("q")
        self._found = bytearray()  # 1 at each position that some id is found at
        self._restored = 0  # positions that the hashes are for
        self._hashes: NDArray[np.uint64] = np.empty(0, "<u8")  # sorted
        self._order: NDArray[np.uint32] = np.empty(0, "<u4")  # the position behind each hash
        self._later: dict[str, int] = {}  # what differs from the hashes

    def __len__(self) -> int:
        """Return the number of positions, those of items that are gone included."""
        return len(self.revisions)

    def item_id(self, position: int) -> str:
        """Return the id of the item at a position."""
        return self._name(position).decode(errors="surrogateescape")

    def positions(self, ids: Sequence[str]) -> list[int]:
        """Return where each item is found, -1 for one that is not here."""
        known = list(map(self._later.get, ids))
        if self._restored:
            unknown = [place for place, position in enumerate(known) if position is None]
            for place, position in self._restored_positions(ids, unknown):
                known[place] = position
        return [_NOWHERE if position is None else position for position in known]

    def append(self, ids: Sequence[str], revisions: Iterable[int]) -> None:
        """Put items, none of which is found here, at the next positions."""
        self._later.update(zip(ids, count(len(self)), strict=False))
        names = list(map(_encoded, ids))
        self._text += b"".join(names)
        ends = accumulate(map(len, names), initial=self._ends[-1])
        next(ends)
        self._ends.extend(ends)
        self._found += b"\x01" * len(names)
        self.revisions.extend(revisions)

    def remove(self, ids: Sequence[str]) -> list[int]:
        """Find items, each given once, no more; return the positions of those that were found."""
        removed = []
        for item_id, position in zip(ids, self.positions(ids), strict=True):
            if position == _NOWHERE:
                continue
            removed.append(position)
            self._found[position] = 0
            if self._restored:  # its hash may be there
                self._later[item_id] = _NOWHERE
            else:
                del self._later[item_id]
        return removed

    def copy(self) -> "NamesCopy":
        """Return what `NamesCopy.arrays` makes arrays of; cheap, as who changes it must wait."""
        return NamesCopy(bytes(self._text), self._ends[:], self.revisions[:], bytes(self._found))

    @classmethod
    def restored(cls, arrays: Arrays) -> Self:
        """Return the names of which `NamesCopy.arrays` has made arrays.

        Raises LookupError or ValueError if no names can have made them.
        """
        _check(arrays)
        names = cls()
        names._text = bytearray(arrays["text"].data)
        names._ends = _numbers(arrays["ends"])
        names.revisions = _numbers(arrays["revisions"])
        names._restored = len(names)
        names._hashes, names._order = arrays["hashes"], arrays["order"]
        found = np.zeros(len(names), np.uint8)
        found[names._order] = 1
        names._found = bytearray(found.data)
        return names

    def _name(self, position: int) -> bytearray:
        return self._text[self._ends[position] : self._ends[position + 1]]

    def _restored_positions(
        self, ids: Sequence[str], places: Sequence[int]
    ) -> Iterable[tuple[int, int]]:
        """Yield those of the places in ids of which the item was restored, and its position."""
        names = [_encoded(ids[place]) for place in places]
        hashes = np.array(list(map(xxh3_64_intdigest, names)), np.uint64)
        first = np.searchsorted(self._hashes, hashes, "left").tolist()
        last = np.searchsorted(self._hashes, hashes, "right").tolist()
        for place, name, start, end in zip(places, names, first, last, strict=True):
            for position in self._order[start:end].tolist():
                if self._name(position) == name:
                    yield place, position


class NamesCopy:
    """The names of an index at one moment."""

    def __init__(self, text: bytes, ends: "array[int]", revisions: "array[int]", found: bytes):
        self._text, self._ends, self._revisions, self._found = text, ends, revisions, found

    def only(self, positions: NDArray[np.int64]) -> ItemNames:
        """Return the names of those positions, ascending, numbered anew."""
        ends, revisions = np.frombuffer(self._ends, "<i8"), np.frombuffer(self._revisions, "<i8")
        starts, stops = ends[positions], ends[positions + 1]
        bounds = zip(starts.tolist(), stops.tolist(), strict=True)
        kept = NamesCopy(
            b"".join([self._text[start:stop] for start, stop in bounds]),
            _numbers(np.concatenate([[0], np.cumsum(stops - starts)])),
            _numbers(revisions[positions]),
            np.frombuffer(self._found, np.uint8)[positions].tobytes(),
        )
        return ItemNames.restored(kept.arrays())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as arrays, with what finds an id through its hash.

        text: uint8, the ids as UTF-8. ends: (positions + 1,) int64, where each ends. revisions:
        (positions,) int64. hashes: (found,) uint64, sorted. order: (found,) uint32, positions.
        """
        live = np.flatnonzero(np.frombuffer(self._found, np.uint8)).astype("<u4")
        ends = np.frombuffer(self._ends, "<i8")
        bounds = zip(ends[live].tolist(), ends[live + 1].tolist(), strict=True)
        names = (self._text[start:end] for start, end in bounds)
        hashes = np.fromiter(map(xxh3_64_intdigest, names), "<u8", len(live))
        sorting = np.argsort(hashes, kind="stable")
        return {
            "text": np.frombuffer(self._text, np.uint8),
            "ends": ends,
            "revisions": np.frombuffer(self._revisions, "<i8"),
            "hashes": hashes[sorting],
            "order": live[sorting],
        }


def _check(arrays: Arrays) -> None:
    """Raise unless each position has its text, and each hash a position."""
    ends, order, count = arrays["ends"], arrays["order"], len(arrays["revisions"])
    found = {name: (each.dtype.str, each.ndim) for name, each in arrays.items()}
    if found != _LAYOUT or len(ends) != count + 1 or len(order) != len(arrays["hashes"]):
        raise ValueError("the arrays are not those of names")
    if ends[0] or ends[-1] != len(arrays["text"]) or (np.diff(ends) < 0).any():
        raise ValueError("the ends of names are not within their text")
    if order.max(initial=0) >= max(count, 1):
        raise ValueError(f"names must have positions below {count}")


def _encoded(item_id: str) -> bytes:
    return item_id.encode(errors="surrogateescape")


def _numbers(values: NDArray[np.int64]) -> "array[int]":
    numbers = array("q")
    numbers.frombytes(values.tobytes())
    return numbers
