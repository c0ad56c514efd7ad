"""The seam between an index and what training builds for it."""

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.state import IndexState


class Figures(NamedTuple):
    """What a description says of it; 0 where it has no lists.

    recall: what the default search was measured to reach.
    size_bytes: what it takes beside the rows.
    """

    nlist: int
    nprobe: int
    recall: float
    size_bytes: int


class Trained(Protocol):
    """A shortcut to the best of the first rows of a log; never changed, so anyone may search it.

    kind: "ivf" or "hnsw".
    covered: rows that it finds, masked ones included.
    trained_on: live rows when it was trained; far more of them want another training.
    longest_tail: rows behind the covered ones from which it pays to cover them too.
    pays: whether a search through it is faster than a scan.
    smallest_share: the part of the rows that a filter must keep for a search to look as far as it
        should.
    """

    @property
    def kind(self) -> str: ...
    @property
    def covered(self) -> int: ...
    @property
    def trained_on(self) -> int: ...
    @property
    def longest_tail(self) -> int: ...
    @property
    def pays(self) -> bool: ...

    @property
    def smallest_share(self) -> float: ...

    def reach(self, snapshot: Snapshot) -> int:
        """Return how many of the first rows a search answers for: those behind are scanned."""
        ...

    def search(
        self, snapshot: Snapshot, queries: NDArray[Any], k: int, parameters: SearchParameters
    ) -> SearchResult:
        """Return up to k live rows within its reach for each query, then -1."""
        ...

    def extended(self, snapshot: Snapshot) -> "Trained":
        """Return one that covers all rows; the work is in proportion to the new ones."""
        ...

    def reads_bytes(self, parameters: SearchParameters, share: float = 1.0) -> int:
        """Return how many bytes of the covered rows one query reads, about.

        share: the part of the rows that a filter keeps.
        """
        ...

    def worth_bytes(self, parameters: SearchParameters, share: float) -> int:
        """Return how many bytes of rows, about, are compared one by one in the same time."""
        ...

    def figures(self) -> Figures:
        """Return what there is to say of it."""
        ...

    def state(self) -> IndexState:
        """Return what it would be costly to make again."""
        ...


class Trainer(Protocol):
    """Builds one kind of shortcut.

    minimum_rows: live rows from which it pays; below, every search is a scan.
    growth: train anew when live rows have grown by this factor.
    """

    @property
    def minimum_rows(self) -> int: ...
    @property
    def growth(self) -> float: ...

    def train(self, snapshot: Snapshot, seed: int) -> Trained:
        """Return a shortcut to all live rows; slow, on the calling thread alone."""
        ...

    def restored(self, state: IndexState, snapshot: Snapshot) -> Trained | None:
        """Return the one in a state, or None if there is none such. Raises UnfitStateError."""
        ...
