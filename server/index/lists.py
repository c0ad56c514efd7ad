"""What inverted lists have in common, whatever is in them and wherever they lie."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

from cipherlens.server.index.clustering import Clustering
from cipherlens.server.index.errors import UnfitStateError
from cipherlens.server.index.probing import Probing
from cipherlens.server.index.protocol import SearchParameters
from cipherlens.server.index.rowlog import Snapshot
from cipherlens.server.index.segments import Segment, filled, with_newest
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.trained import Figures

_ID_BYTES = 8  # beside each row in a list


@dataclass(frozen=True, kw_only=True)
class Lists(ABC):
    """Lists over the first rows of a log; see Trained.

    clustering: which row has which list.
    nprobes: lists that a search probes by default, and then where a filter keeps a half of the
        rows, a fourth and so on: as far as the neighbours lie of which it keeps as many as are
        wanted, if it keeps all rows alike.
    recall: what the first of them was measured to reach.
    """

    clustering: Clustering
    nprobes: tuple[int, ...]
    recall: float
    kind = "ivf"
    # How long a byte in a list takes as a multiple of one of a row that is compared as it is.
    slowness: ClassVar[int] = 1

    @property
    @abstractmethod
    def row_bytes(self) -> int:
        """What a row takes in a list, without its position."""

    @property
    def covered(self) -> int:
        """The number of rows that have a list."""
        return self.clustering.covered

    @property
    def trained_on(self) -> int:
        """The live rows when the centroids were trained."""
        return self.clustering.trained_on

    def probed(self, parameters: SearchParameters, share: float = 1.0) -> int:
        """Return how many lists a search probes; share: the part of the rows that it may find."""
        return min(parameters.nprobe or self._nprobe_of(share), self.clustering.nlist)

    @property
    def nprobe(self) -> int:
        """The lists that a search probes by default."""
        return self.nprobes[0]

    @property
    def smallest_share(self) -> float:
        """The part of the rows that a filter must keep for there to be a measured nprobe."""
        return float(2.0 ** (1 - len(self.nprobes)))

    def _nprobe_of(self, share: float) -> int:
        """Return the lists to probe by default."""
        depth = math.ceil(-math.log2(share)) if 0 < share < 1 else 0
        return self.nprobes[min(depth, len(self.nprobes) - 1)]

    def reads_bytes(self, parameters: SearchParameters, share: float = 1.0) -> int:
        """Return how many bytes of the probed lists are read, about."""
        rows = self.covered * self.probed(parameters, share) / self.clustering.nlist
        return int(rows * (share * self.row_bytes + _ID_BYTES))

    def worth_bytes(self, parameters: SearchParameters, share: float) -> int:
        """Return how many bytes of rows, about, are compared one by one in the same time.

        All centroids are compared first.
        """
        return self.clustering.centroids.nbytes + self.slowness * self.reads_bytes(
            parameters, share
        )

    def figures(self) -> Figures:
        """Return how many lists there are, and are probed by default."""
        size = self._size_bytes + self.clustering.size_bytes
        return Figures(self.clustering.nlist, self.nprobe, self.recall, size)

    @property
    def _size_bytes(self) -> int:
        return self.covered * (self.row_bytes + _ID_BYTES)

    def _state(self, what: str, **facts: float) -> IndexState:
        """Return everything but the rows, from which the lists are filled again."""
        return IndexState(
            facts={
                "trained": what,
                "trained_on": self.trained_on,
                "nprobes": list(self.nprobes),
                "recall": self.recall,
                **facts,
            },
            arrays=self.clustering.arrays(),
        )


@dataclass(frozen=True, kw_only=True)
class SegmentedLists(Lists):
    """Lists on the CPU, in segments, so that to add rows is work in proportion to them."""

    segments: tuple[Segment, ...]
    probing: Probing = field(default_factory=Probing)

    @abstractmethod
    def empty(self, clustering: Clustering) -> Any:
        """Return an empty FAISS index over the centroids, as those in the segments are."""

    def extended(self, snapshot: Snapshot) -> Self:
        """Return lists that the new rows are in too, each in that of its nearest centroid."""
        known = self.covered
        clustering = self.clustering.extended(snapshot.rows)
        newest = filled(self.empty(clustering), snapshot, clustering.lists[known:], known)
        segments = with_newest(self.segments, newest, lambda: self.empty(clustering))
        return replace(self, clustering=clustering, segments=segments)


def restored_nprobes(state: IndexState) -> tuple[int, ...]:
    """Return the numbers of lists to probe in a state. Raises UnfitStateError."""
    nprobes = state.fact("nprobes", list)
    if not nprobes or not all(type(each) is int and each > 0 for each in nprobes):
        raise UnfitStateError(f"nprobes must be numbers of lists, got {nprobes!r}")
    return tuple(nprobes)
