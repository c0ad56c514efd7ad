"""An index over one generation's rows, with the item of every position."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.index import (
    CosineIndex,
    SearchParameters,
    SearchResult,
    VectorIndex,
    train_ivf,
)
from cipherlens.server.storage.records import Change, Damaged, Generation

_log = logging.getLogger(__name__)

Rows = NDArray[np.float32] | NDArray[np.uint8]

_ROWS_PER_APPEND = 4096
_REBUILD_AT_DEAD = 0.1
# Fewer dead rows than these cost a search less than building the index again would.
_FEWEST_DEAD = 64
_TRAINING_SEED = 0


@dataclass(frozen=True, slots=True)
class Ranking:
    """The hits of one query, best first; scores are cosine similarities or Hamming distances."""

    item_ids: list[str]
    revisions: list[int]
    scores: NDArray[np.float32] | NDArray[np.int32]


@dataclass(slots=True)
class View:
    """One generation's index, and the ids and revisions behind its positions.

    Only one thread at a time may call `follow`; searches need no lock. Ids and revisions are
    appended before the rows, so a search never meets a position without a name. When `follow`
    fails, the view may be half changed: it still answers, but must never follow anything again.
    """

    generation: Generation
    index: VectorIndex
    sequence: int = 0
    ids: list[str] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)

    def follow(self, changes: Iterable[Change | Damaged]) -> None:
        """Apply changes in sequence order."""
        stream = iter(changes)
        while group := list(islice(stream, _ROWS_PER_APPEND)):
            self._apply(group)

    def search(
        self, queries: Rows, k: int, parameters: SearchParameters
    ) -> tuple[list[Ranking], bool]:
        """Return a ranking for each query, and whether each item is in it at most once.

        An item that is replaced at this very moment may be found as it was and as it is.
        """
        rankings = self._rankings(self.index.search(queries, k, parameters))
        return rankings, all(len(set(each.item_ids)) == len(each.item_ids) for each in rankings)

    def train(self) -> None:
        """Train the index aside and adopt the result, if there is enough to train on."""
        if isinstance(self.index, CosineIndex) and self.index.wants_training:
            self.index.adopt(train_ivf(self.index.training_snapshot(), _TRAINING_SEED))

    @property
    def wants_training(self) -> bool:
        """Whether the index would answer faster after training."""
        return isinstance(self.index, CosineIndex) and self.index.wants_training

    @property
    def wants_rebuild(self) -> bool:
        """Whether enough of the index is dead that building it anew pays."""
        dead = len(self.index) - self.index.live_count
        return dead >= _FEWEST_DEAD and self.index.dead_fraction > _REBUILD_AT_DEAD

    def _apply(self, group: Sequence[Change | Damaged]) -> None:
        gone = [self.positions.pop(each.item_id, -1) for each in group]
        written = [each for each in group if isinstance(each, Change) and each.representation]
        for position, change in enumerate(written, len(self.ids)):
            self.ids.append(change.item_id)
            self.revisions.append(change.revision)
            self.positions[change.item_id] = position
        if written:
            self.index.append(self._rows(written))
        if dead := [position for position in gone if position >= 0]:
            self.index.mask(np.array(dead, np.int64))
        for each in group:
            self._note_damage(each)
        self.sequence = group[-1].sequence

    def _note_damage(self, change: Change | Damaged) -> None:
        if isinstance(change, Damaged):
            self.damaged[change.item_id] = change.what
            _log.error("item %r is damaged (%s) and set aside", change.item_id, change.what)
        else:
            self.damaged.pop(change.item_id, None)

    def _rows(self, written: Sequence[Change]) -> Rows:
        data = b"".join(change.representation or b"" for change in written)
        if isinstance(self.index, CosineIndex):
            return np.frombuffer(data, "<f4").reshape(len(written), -1)
        return np.frombuffer(data, np.uint8).reshape(len(written), -1)

    def _rankings(self, result: SearchResult) -> list[Ranking]:
        ids, revisions = self.ids, self.revisions
        rankings = []
        for positions, scores in zip(result.positions.tolist(), result.scores, strict=True):
            count = positions.index(-1) if positions and positions[-1] < 0 else len(positions)
            kept = positions[:count]
            rankings.append(
                Ranking(
                    [ids[each] for each in kept],
                    [revisions[each] for each in kept],
                    scores[:count],
                )
            )
        return rankings
