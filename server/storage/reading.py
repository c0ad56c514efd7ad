"""Reading items: by id, page by page, and as the feed of changes that an index follows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, bindparam, func, select

from cipherlens.server.storage.records import (
    Change,
    Collection,
    CollectionState,
    Damaged,
    Generation,
    ItemSummary,
    StoredItem,
)
from cipherlens.server.storage.rows import (
    ITEM_COLUMNS,
    change,
    is_whole,
    item_is_whole,
    stored,
    summary,
)
from cipherlens.server.storage.schema import ciphertexts, items, representations

# Fewer than any database's limit of parameters in one statement.
_IDS_PER_STATEMENT = 500
_ROWS_PER_FETCH = 1000

_ITEM_COLUMNS = tuple(items.c[name] for name in ITEM_COLUMNS)
_CIPHERTEXT_COLUMNS = (
    ciphertexts.c.height,
    ciphertexts.c.width,
    ciphertexts.c.nonce,
    ciphertexts.c.pixels,
    ciphertexts.c.sealed,
    ciphertexts.c.checksum.label("ciphertext_checksum"),
)
_REPRESENTATION_COLUMNS = (
    representations.c.sequence.label("computed_at"),
    representations.c.data,
    representations.c.checksum.label("data_checksum"),
)

_OF_COLLECTION = items.c.collection == bindparam("collection")
_THERE = and_(_OF_COLLECTION, items.c.deleted.is_(False))
_OF_IDS = items.c.item_id.in_(bindparam("ids", expanding=True))
_REPRESENTED = and_(
    representations.c.generation == bindparam("generation"),
    representations.c.item_id == items.c.item_id,
)
_CHANGES = (
    select(*_ITEM_COLUMNS, *_REPRESENTATION_COLUMNS)
    .outerjoin_from(items, representations, _REPRESENTED)
    .where(
        _OF_COLLECTION,
        items.c.sequence > bindparam("after"),
        items.c.sequence <= bindparam("until"),
    )
    .order_by(items.c.sequence)
)
_WHOLE_ITEMS = (
    select(*_ITEM_COLUMNS, *_CIPHERTEXT_COLUMNS, *_REPRESENTATION_COLUMNS)
    .outerjoin_from(
        items,
        ciphertexts,
        and_(
            ciphertexts.c.collection == items.c.collection,
            ciphertexts.c.item_id == items.c.item_id,
        ),
    )
    .outerjoin(representations, _REPRESENTED)
    .where(_THERE, _OF_IDS)
)
_SIZES = select(
    ciphertexts.c.item_id,
    (func.length(ciphertexts.c.pixels) + func.length(ciphertexts.c.sealed)).label("size"),
).where(
    ciphertexts.c.collection == bindparam("collection"),
    ciphertexts.c.item_id.in_(bindparam("ids", expanding=True)),
)
_PRESENT = select(*_ITEM_COLUMNS).where(_OF_COLLECTION, _OF_IDS)
_PAGE = (
    select(*_ITEM_COLUMNS)
    .where(_THERE, items.c.item_id > bindparam("after"))
    .order_by(items.c.item_id)
)
_COUNT = select(func.count()).select_from(items).where(_THERE)
_COUNT_REPRESENTED = (
    select(func.count())
    .select_from(representations)
    .where(representations.c.generation == bindparam("generation"))
)
_UNREPRESENTED = (
    select(*_ITEM_COLUMNS)
    .outerjoin_from(
        items,
        representations,
        and_(_REPRESENTED, representations.c.sequence == items.c.sequence),
    )
    .where(_THERE, items.c.sequence > bindparam("after"), representations.c.item_id.is_(None))
    .order_by(items.c.sequence)
)


@dataclass(frozen=True, slots=True)
class Present:
    """What a write must know of the row that is there, be it a tombstone.

    Of a damaged row the revision is 0, as what it says cannot be trusted.
    """

    is_whole: bool
    revision: int
    sequence: int
    digest: bytes
    deleted: bool


class ItemReader:
    """The items of all collections, read within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def changes(
        self, collection: Collection, generation: Generation, *, after: int, until: int
    ) -> Iterator[Change | Damaged]:
        """Yield what happened to items after one sequence and until another, in sequence order.

        Each item comes once, with its last change. An item without an up-to-date representation
        under the generation counts as damaged.
        """
        rows = self._streamed(
            _CHANGES,
            _ROWS_PER_FETCH,
            collection=collection.id,
            generation=generation.id,
            after=after,
            until=until,
        )
        return (change(row) for row in rows)

    def fetched(
        self, state: CollectionState, ids: Sequence[str]
    ) -> dict[str, StoredItem | Damaged]:
        """Return those of the items that are there, whole or named as damaged."""
        kind = state.collection.kind
        rows = self._whole_items(state.collection, state.active_generation, ids)
        return {row.item_id: stored(row, kind) for row in rows}

    def whole(
        self, collection: Collection, generation: Generation, ids: Sequence[str]
    ) -> dict[str, int]:
        """Return the sequences of those of the items that are whole, the representation too."""
        rows = self._whole_items(collection, generation.id, ids)
        return {row.item_id: row.sequence for row in rows if is_whole(row, collection.kind)}

    def sizes(self, collection: Collection, ids: Sequence[str]) -> dict[str, int]:
        """Return how many bytes of ciphertext there are of those items that have any."""
        rows = self._by_ids(_SIZES, ids, collection=collection.id)
        return {row.item_id: row.size or 0 for row in rows}

    def present(self, collection: Collection, ids: Sequence[str]) -> dict[str, Present]:
        """Return what is there of the ids, tombstones too."""
        rows = self._by_ids(_PRESENT, ids, collection=collection.id)
        return {row.item_id: _present(row) for row in rows}

    def page(self, collection: Collection, *, after: str, size: int) -> list[ItemSummary]:
        """Return at most size items whose id is greater than `after`, in the order of ids.

        Ids compare by their UTF-8 bytes. Damaged rows are left out.
        """
        rows = self._streamed(_PAGE, size, collection=collection.id, after=after)
        return list(islice(_summaries(rows), size))

    def count(self, collection: Collection) -> int:
        """Return the number of items that are there."""
        return int(self._connection.scalar(_COUNT, {"collection": collection.id}) or 0)

    def count_represented(self, generation: Generation) -> int:
        """Return the number of representations under the generation."""
        found = self._connection.scalar(_COUNT_REPRESENTED, {"generation": generation.id})
        return int(found or 0)

    def unrepresented(
        self, collection: Collection, generation: Generation, *, after: int, limit: int
    ) -> list[ItemSummary]:
        """Return at most limit items, changed after the sequence, that the generation lacks.

        An item that the generation represents in an earlier state is lacking too.
        """
        rows = self._streamed(
            _UNREPRESENTED, limit, collection=collection.id, generation=generation.id, after=after
        )
        return list(islice(_summaries(rows), limit))

    def _whole_items(
        self, collection: Collection, generation_id: int | None, ids: Sequence[str]
    ) -> Iterator[Row[Any]]:
        return self._by_ids(_WHOLE_ITEMS, ids, collection=collection.id, generation=generation_id)

    def _by_ids(
        self, query: Select[Any], ids: Sequence[str], **parameters: object
    ) -> Iterator[Row[Any]]:
        for group in id_groups(ids):
            yield from self._connection.execute(query, {**parameters, "ids": group})

    def _streamed(
        self, query: Select[Any], at_once: int, **parameters: object
    ) -> Iterator[Row[Any]]:
        """Yield the rows, so many read at once: a collection need not fit into memory twice."""
        options = {"yield_per": at_once}
        with self._connection.execute(query, parameters, execution_options=options) as rows:
            yield from rows


def id_groups(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield the ids in groups that fit into one statement."""
    listed = list(ids)
    for start in range(0, len(listed), _IDS_PER_STATEMENT):
        yield listed[start : start + _IDS_PER_STATEMENT]


def _summaries(rows: Iterable[Row[Any]]) -> Iterator[ItemSummary]:
    return (summary(row) for row in rows if item_is_whole(row))


def _present(row: Row[Any]) -> Present:
    is_whole = item_is_whole(row)
    return Present(
        is_whole=is_whole,
        revision=row.revision if is_whole else 0,
        sequence=row.sequence,
        digest=row.content_digest,
        deleted=bool(row.deleted),
    )
