"""What inverted lists have in common, whatever is in them and wherever they lie."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from cipherlens.server.index.clustering import Clustering
from cipherlens.server.index.protocol import SearchParameters
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.trained import Figures

_ID_BYTES = 8  # beside each row in a list


@dataclass(frozen=True, kw_only=True)
class Lists(ABC):
    """Lists over the first rows of a log; see Trained.

    clustering: which row has which list.
    nprobe, recall: lists that a search probes by default, and what that was measured to reach.
    """

    clustering: Clustering
    nprobe: int
    recall: float
    kind = "ivf"

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

    def reads_bytes(self, parameters: SearchParameters) -> int:
        """Return how many bytes the probed lists take, about."""
        share = min(1.0, (parameters.nprobe or self.nprobe) / self.clustering.nlist)
        return int(share * self._size_bytes)

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
                "nprobe": self.nprobe,
                "recall": self.recall,
                **facts,
            },
            arrays=self.clustering.arrays(),
        )
