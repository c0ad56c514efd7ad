"""One generation's rows in an index, with the item of every position."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cipherlens.server.engine.item_names import ItemNames, NamesCopy
from cipherlens.server.engine.tag_postings import PostingsCopy, TagFilter, TagPostings
from cipherlens.server.index import IndexState, SearchParameters, VectorIndex, live_only
from cipherlens.server.storage.records import Change, Damaged, Generation

_log = logging.getLogger(__name__)

Rows = NDArray[np.float32] | NDArray[np.uint8]

_ROWS_PER_APPEND = 4096
_REBUILD_AT_DEAD = 0.1
# Fewer dead rows than these cost a search less than an index without them would.
_FEWEST_DEAD = 64
_TRAINING_SEED = 0
# So many rows are read from the database in less time than a file takes to come to rest on disk.
_FEWEST_KEPT = 4096
# Changes since the last file: a start asks for 50,000 in a second, and a file's way to the disk
# slows those who write meanwhile. As a part of the rows it bounds how often each is written again.
_UNKEPT_ROWS = 100_000
_UNKEPT_PART = 0.25


class Answer(NamedTuple):
    """The hits of each query, best first, and what they saw.

    source: the index that gave them.
    positions: for each query, those of its hits.
    scores: (queries, k) similarities or distances; behind a query's last hit they mean nothing.
    sequence: the last change that was seen for certain.
    """

    source: "ItemIndex"
    positions: list[list[int]]
    scores: NDArray[Any]
    sequence: int

    @property
    def generation(self) -> int:
        """The number of the generation that gave it."""
        return self.source.generation.id

    def item_ids(self) -> list[list[str]]:
        """Return the ids of the hits of each query."""
        item_id = self.source.names.item_id
        return [[item_id(each) for each in row] for row in self.positions]


class Moment(NamedTuple):
    """An index at some sequence, while it goes on to change."""

    vectors: IndexState
    names: NamesCopy
    tags: PostingsCopy
    sequence: int
    damaged: dict[str, str]


def unwatched(_count: int) -> None:
    """Let work go on."""


class Standing(NamedTuple):
    """How far an index has come: its last change, and the rows that lists cover."""

    sequence: int
    covered: int


_NOTHING = Standing(0, 0)


@dataclass(slots=True)
class ItemIndex:
    """The rows of one generation, and the items behind their positions.

    Only one thread at a time may call `follow`; searches need no lock. Names and tags are appended
    before the rows, so a search never meets a position without them. When `follow` fails, it may be
    half changed: it still answers, but must never follow anything again.
    """

    generation: Generation
    vectors: VectorIndex
    sequence: int = 0
    names: ItemNames = field(default_factory=ItemNames)
    tags: TagPostings = field(default_factory=TagPostings)
    # What answers say of each position, kept by whoever makes them; None until it is found.
    encoded: list[bytes | None] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    kept: Standing = _NOTHING  # what is in a file
    changes: int = 0  # odd while a change is under way, and for good after one that failed

    def follow(
        self, changes: Iterable[Change | Damaged], watch: Callable[[int], None] = unwatched
    ) -> None:
        """Apply changes in sequence order; `watch` is told how many there were, now and then.

        What it raises ends this, and the index is then of no use.
        """
        stream, done = iter(changes), 0
        while group := list(islice(stream, _ROWS_PER_APPEND)):
            self._apply(group)
            done += len(group)
            watch(done)

    def search(
        self,
        queries: Rows,
        k: int,
        parameters: SearchParameters,
        kept: TagFilter | None = None,
    ) -> tuple[Answer, bool]:
        """Return a ranking for each query, and whether each item is in it at most once.

        An item that is replaced at this very moment may be found as it was and as it is.
        """
        before, sequence = self.changes, self.sequence  # it sees at least this much
        rows = None if kept is None else self.tags.among(kept)
        found = self.vectors.search(queries, k, parameters, rows)
        positions = [_cut(row) for row in found.positions.tolist()]
        answer = Answer(self, positions, found.scores, sequence)
        if before == self.changes and not before % 2:
            return answer, True  # nothing was replaced meanwhile
        return answer, all(len(set(ids)) == len(ids) for ids in answer.item_ids())

    def reads_bytes(self, parameters: SearchParameters, kept: TagFilter | None) -> int:
        """Return how many bytes of rows one query reads, about: what a search costs."""
        rows = None if kept is None else self.tags.among(kept)
        return self.vectors.reads_bytes(parameters, rows)

    def count(self, kept: TagFilter | None) -> tuple[int, int, bool]:
        """Return how many items are kept, the last change seen, and whether each counts once."""
        before, sequence = self.changes, self.sequence
        if kept is None:
            count = self.vectors.live_count
        else:
            count = self.vectors.count(self.tags.among(kept))
        return count, sequence, before == self.changes and not before % 2

    def at_revisions(self, ids: Sequence[str], revisions: Sequence[int]) -> list[str]:
        """Return those of the ids that are here at just the revision that stands beside them."""
        rows = zip(ids, revisions, self.names.positions(ids), strict=True)
        return [
            item_id
            for item_id, revision, position in rows
            if position >= 0 and self.names.revisions[position] == revision
        ]

    def train(self) -> None:
        """Build aside what makes searches faster, if there is enough to build it of."""
        if self.vectors.wants_training:
            self.vectors.train(_TRAINING_SEED)

    @property
    def wants_rebuild(self) -> bool:
        """Whether enough of the index is dead that leaving it out pays."""
        dead = len(self.vectors) - self.vectors.live_count
        return dead >= _FEWEST_DEAD and self.vectors.dead_fraction > _REBUILD_AT_DEAD

    def moment(self) -> "Moment":
        """Return the index as it stands. The caller lets nothing follow meanwhile."""
        damaged = dict(self.damaged)
        vectors, names, tags = self.vectors.state(), self.names.copy(), self.tags.copy()
        return Moment(vectors, names, tags, self.sequence, damaged)

    def without_dead(self, moment: "Moment", empty: VectorIndex) -> "ItemIndex":
        """Return another index that was this one at a moment, its dead rows left out.

        Nothing is read but memory, and what was trained is kept. `empty` becomes its own.
        """
        state, kept = live_only(moment.vectors)
        empty.restore(state)
        return ItemIndex(
            self.generation,
            empty,
            sequence=moment.sequence,
            names=moment.names.only(kept),
            tags=moment.tags.only(kept),
            encoded=[None] * len(kept),
            damaged=moment.damaged,
        )

    @property
    def worth_keeping(self) -> bool:
        """Whether a file saves a start more than it costs, and says more than the one there is."""
        return len(self.names) >= _FEWEST_KEPT and self.standing != self.kept

    @property
    def standing(self) -> Standing:
        """How far it has come."""
        return Standing(self.sequence, self.vectors.describe().covered)

    @property
    def wants_keeping(self) -> bool:
        """Whether a start without another file would have much to ask the database for."""
        unkept = self.sequence - self.kept.sequence
        return len(self.names) >= _FEWEST_KEPT and unkept > max(
            _UNKEPT_ROWS, _UNKEPT_PART * len(self.names)
        )

    def _apply(self, group: Sequence[Change | Damaged]) -> None:
        self.changes += 1
        dead = self.names.remove([each.item_id for each in group])
        written = [each for each in group if isinstance(each, Change) and each.representation]
        if written:
            sequences, ids, revisions, _, tokens = zip(*written, strict=True)
            self.encoded.extend(repeat(None, len(ids)))
            self.tags.append(len(self.names), tokens)
            self.names.append(ids, revisions)
            self.vectors.append(self._rows(written), np.array(sequences, np.int64))
        if dead:
            self.vectors.mask(np.array(dead, np.int64))
        if self.damaged or len(written) < len(group):
            for each in group:
                self._note_damage(each)
        self.sequence = group[-1].sequence
        self.changes += 1

    def _note_damage(self, change: Change | Damaged) -> None:
        if isinstance(change, Damaged):
            self.damaged[change.item_id] = change.what
            _log.error("item %r is damaged (%s) and set aside", change.item_id, change.what)
        else:
            self.damaged.pop(change.item_id, None)

    def _rows(self, written: Sequence[Change]) -> Rows:
        data = b"".join(change.representation or b"" for change in written)
        rows: Rows = np.frombuffer(data, self.vectors.row_type).reshape(len(written), -1)
        return rows


def _cut(positions: list[int]) -> list[int]:
    """Return a ranking without the places that no row has."""
    return positions if positions[-1] >= 0 else positions[: positions.index(-1)]
