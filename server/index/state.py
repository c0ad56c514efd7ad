"""What an index gives away to be kept, and takes back later: arrays and a few facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from cipherlens.server.index.errors import UnfitStateError


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexState:
    """What would be costly to make again, at one moment.

    facts: what JSON holds: text, numbers, truth values.
    arrays: by name. Every index has "rows", (n, width); "alive", (n,) bool, is there where a row is
        masked, and "lists" where the first rows have one each. Where the rows are but keys of
        those in an engine, "in_tail", (n,) bool, says which of them it does not have yet, and
        "tail" has these. Some are the memory that the index works on: read them only. An index
        that is restored works on the arrays it was given, so that they may be a file mapped into
        memory.

    Whoever keeps a state answers for its bytes: a restored index checks that a state fits, not
    that it is undamaged.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]

    def fact(self, name: str, wanted: type) -> Any:
        """Return a fact of exactly the wanted type. Raises UnfitStateError."""
        value = self.facts.get(name)
        if type(value) is not wanted:
            raise UnfitStateError(f"{name} must be of type {wanted.__name__}, got {value!r}")
        return value

    def array(self, name: str, dtype: DTypeLike, shape: tuple[int | None, ...]) -> NDArray[Any]:
        """Return an array, C-contiguous; None in shape takes any length. Raises UnfitStateError."""
        if name not in self.arrays:
            raise UnfitStateError(f"{name} is missing")
        found = np.asarray(self.arrays[name])
        fits = found.ndim == len(shape) and all(
            wanted in (None, length) for wanted, length in zip(shape, found.shape, strict=True)
        )
        if not fits or found.dtype != np.dtype(dtype):
            raise UnfitStateError(
                f"{name} must be {shape} {np.dtype(dtype)}, got {found.shape} {found.dtype}"
            )
        return np.ascontiguousarray(found)

    def check(self, **expected: str | int) -> None:
        """Raise UnfitStateError unless the facts say what is expected."""
        for name, value in expected.items():
            if self.facts.get(name) != value:
                raise UnfitStateError(f"{name} must be {value}, got {self.facts.get(name)!r}")


def live_only(state: IndexState) -> tuple[IndexState, NDArray[np.int64]]:
    """Return the state without its masked rows, and the positions that its rows had.

    Lists lose them too. What cannot lose a row, such as a graph, is left out.
    """
    rows, alive = state.arrays["rows"], state.arrays.get("alive")
    if alive is None:
        return state, np.arange(len(rows))
    kept = np.flatnonzero(alive)
    if "tail" in state.arrays:
        in_tail, tail = state.arrays["in_tail"], state.arrays["tail"]
        remaining = {"rows": rows[kept], "in_tail": in_tail[kept], "tail": tail[alive[in_tail]]}
        return IndexState(facts=state.facts, arrays=remaining), kept
    if "lists" not in state.arrays:
        facts = {name: value for name, value in state.facts.items() if name != "trained"}
        return IndexState(facts=facts, arrays={"rows": rows[kept]}), kept
    lists = state.arrays["lists"]
    remaining = {"rows": rows[kept], "lists": lists[alive[: len(lists)]]}
    arrays = {name: array for name, array in state.arrays.items() if name != "alive"}
    return IndexState(facts=state.facts, arrays={**arrays, **remaining}), kept
