"""The seam to an engine of vectors: what it must bring, whichever it is."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import IndexChoice, Kind


class Shape(NamedTuple):
    """What a table holds.

    name: letters, digits and underscores, at most 63.
    kind: of the collection; codes are compared by Hamming distance, all else by inner product.
    length: numbers in a vector, or bits in a code.
    choice: the index that the collection's maker asked for.
    """

    name: str
    kind: Kind
    length: int
    choice: IndexChoice


class Found(NamedTuple):
    """The best rows of each query, best first.

    keys: (queries, k) int64; -1 where there was no other row.
    scores: (queries, k); inner products as float32, or Hamming distances as int32.
    """

    keys: NDArray[np.int64]
    scores: NDArray[Any]


class Reach(NamedTuple):
    """How far a search looks.

    nprobe: lists to probe, ef: candidates that a graph keeps; None takes the table's default, and a
        table without lists or graph passes it over.
    depth: times as many lists, or candidates, of that default: where far more hits than usual are
        asked for, as most of them will be left out.
    exact: compare with every row, where the table can.
    """

    nprobe: int | None = None
    ef: int | None = None
    depth: float = 1.0
    exact: bool = False


class TableFigures(NamedTuple):
    """How a table is searched: "flat", "ivf" or "hnsw"; its lists, and how far a search looks.

    width: lists that are probed by default, or candidates that a graph keeps; 0 for the engine's.
    recall: what that was measured to reach, 0.0 if nobody has measured it.
    """

    method: str
    nlist: int = 0
    width: int = 0
    recall: float = 0.0


class VectorTable(Protocol):
    """The rows of one generation in an engine, by keys.

    Searches come from any thread; all else from one at a time. Every method raises
    VectorsUnavailable where the engine does not do what is asked, whatever the reason.

    most_k: the largest k of a search.
    most_keys: the most keys of one `among`.
    is_exact: whether a search can compare with every row.
    """

    @property
    def most_k(self) -> int: ...
    @property
    def most_keys(self) -> int: ...
    @property
    def is_exact(self) -> bool: ...

    def keys(self) -> NDArray[np.int64]:
        """Return the keys of all rows, (n,) int64, ascending; none where there is no table yet."""
        ...

    def put(self, keys: NDArray[np.int64], rows: NDArray[Any]) -> None:
        """Add rows, or write them again; the table is made if need be.

        Every search that begins later finds them. Rows are those of `VectorIndex.append`.
        """
        ...

    def remove(self, keys: NDArray[np.int64]) -> None:
        """Remove rows; those that are not there are passed over."""
        ...

    def search(self, queries: NDArray[Any], k: int, reach: Reach) -> Found:
        """Return the k best rows of each query, as far as the search looks."""
        ...

    def among(self, queries: NDArray[Any], k: int, keys: NDArray[np.int64]) -> Found:
        """Return the k best of the rows with these keys, every one of them compared."""
        ...

    def wants_building(self, rows: int) -> bool:
        """Return whether `build` would make searches among so many rows faster."""
        ...

    def build(self, rows: int, sample: NDArray[np.int64]) -> None:
        """Build what makes searches among so many rows faster; slow, searches go on meanwhile.

        sample: keys of some of them, by chance: how far a search has to look is measured with them.
        """
        ...

    def figures(self) -> TableFigures:
        """Return what there is to say of the index; nobody is asked for it."""
        ...


class VectorStore(Protocol):
    """An engine of vectors. Methods raise VectorsUnavailable where it does not answer.

    kind: "milvus" or "pgvector".
    place: where it is, for people, without a password.
    """

    @property
    def kind(self) -> str: ...
    @property
    def place(self) -> str: ...

    def check(self) -> str:
        """Return the engine's version. Raises StartupError if it cannot serve as it is."""
        ...

    def table(self, shape: Shape) -> VectorTable:
        """Return a table; nothing is asked of the engine yet."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Return the names of all tables that begin so."""
        ...

    def drop(self, name: str) -> None:
        """Remove a table."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
