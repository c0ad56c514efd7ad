"""The seam between the engine and an index, whatever its metric."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index.filtering import RowFilter
from cipherlens.server.index.state import IndexState


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchParameters:
    """How one search runs; it travels with the call and changes nothing in the index.

    nprobe: lists to probe in an IVF index, at least 1, cut to the number of lists; None takes the
        value calibrated when the index was trained. Indexes without lists ignore it.
    exact: compare with every live row, whatever has been built.
    """

    nprobe: int | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.nprobe is not None and self.nprobe < 1:
            raise ValueError(f"nprobe must be at least 1, got {self.nprobe}")


class SearchResult(NamedTuple):
    """The best rows of each query, best first.

    positions: (queries, k) int64; -1 where fewer than k live rows exist.
    scores: (queries, k); cosine similarity as float32, or Hamming distance as int32. Beside a
        position of -1 the score has no meaning.
    """

    positions: NDArray[np.int64]
    scores: NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexDescription:
    """An index as it stands, for people and programs.

    kind: such as "cosine-ivf".
    device: "cpu" or "cuda:N", or the kind of engine that has the rows.
    rows, live: rows appended, and those of them that are not masked.
    nlist, nprobe: lists, and those of them that a search probes by default; 0 without lists.
    covered: rows that the lists cover, or that the engine has; those behind them are scanned.
    recall: what the default nprobe reached when it was chosen, None where that is not known.
    memory_bytes: what rows and lists take in this process, but for a few objects.
    """

    kind: str
    device: str
    rows: int
    live: int
    memory_bytes: int
    nlist: int = 0
    nprobe: int = 0
    covered: int = 0
    recall: float | None = None


class VectorIndex(Protocol):
    """Rows in the order they were appended; a row's position is its place in that order.

    Every method may be called from any thread at any time. A search sees the rows of some moment
    between its call and its return: a prefix of the appended rows, with the masks of that moment.

    row_type: the type of the numbers in a row, such as little-endian float32.
    """

    row_type: "np.dtype[Any]"

    def append(self, rows: NDArray[Any], sequences: NDArray[np.int64] | None = ...) -> None:
        """Add rows at the end, all or none; they are found by every search that starts later.

        Args:
            rows: cosine: (n, dimension) float32 unit vectors. Hamming: (n, ceil(bits / 8)) uint8.
            sequences: (n,), ascending: of the changes that wrote them, by which an index whose rows
                are elsewhere finds them again. One that holds its rows needs none.
        """
        ...

    def mask(self, positions: NDArray[np.int64]) -> None:
        """Hide the rows at positions from every search that starts later, for good."""
        ...

    def search(
        self,
        queries: NDArray[Any],
        k: int,
        parameters: SearchParameters = ...,
        rows: RowFilter | None = None,
    ) -> SearchResult:
        """Return the k best live rows of each query, of those that a filter keeps.

        Queries are shaped like rows. The filter is asked after the rows were looked at.
        """
        ...

    def count(self, rows: RowFilter) -> int:
        """Return how many live rows a filter keeps."""
        ...

    def reads_bytes(self, parameters: SearchParameters = ..., rows: RowFilter | None = None) -> int:
        """Return how many bytes of rows one query reads, about: what a search costs."""
        ...

    @property
    def lacks_rows(self) -> bool:
        """Whether rows are lost that only the database has: another index must be made of it."""
        ...

    @property
    def wants_training(self) -> bool:
        """Whether `train` would make searches faster now."""
        ...

    def train(self, seed: int) -> None:
        """Build what makes searches faster, aside, and search through it from then on.

        Slow; searches and appends go on meanwhile. Does nothing where nothing can be built.
        """
        ...

    def state(self) -> IndexState:
        """Return rows, masks and what was trained, without copying the rows."""
        ...

    def restore(self, state: IndexState) -> None:
        """Take the state of another such index, while this one is empty and nobody else uses it.

        The arrays serve as they are, and must never change again.

        Raises:
            UnfitStateError: the state is not of such an index; this one is then still empty.
        """
        ...

    def __len__(self) -> int:
        """Return the number of rows appended, masked ones included."""
        ...

    @property
    def live_count(self) -> int:
        """The number of rows not masked."""
        ...

    @property
    def dead_fraction(self) -> float:
        """The masked part of the appended rows, 0.0 for an empty index."""
        ...

    def describe(self) -> IndexDescription:
        """Return the index as it stands."""
        ...
