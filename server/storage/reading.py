"""Reading items: by id, page by page, and as the feed of changes that an index follows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select

from cipherlens.server.storage.records import (
    Change,
    Collection,
    Damaged,
    Generation,
    ItemSummary,
    StoredItem,
)
from cipherlens.server.storage.rows import change, item_is_whole, stored, summary
from cipherlens.server.storage.schema import ciphertexts, items, representations

# Fewer than any database's limit of parameters in one statement.
_IDS_PER_STATEMENT = 500
_ROWS_PER_FETCH = 1000


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


def changes_since(
    connection: Connection,
    collection: Collection,
    generation: Generation,
    *,
    after: int,
    until: int,
) -> Iterator[Change | Damaged]:
    """Yield what happened to items after one sequence and until another, in sequence order.

    Each item comes once, with its last change. An item without an up-to-date representation under
    the generation counts as damaged.
    """
    query = (
        select(*_ITEM_COLUMNS, *_REPRESENTATION_COLUMNS)
        .outerjoin_from(items, representations, _represents(generation.id))
        .where(
            items.c.collection == collection.id,
            items.c.sequence > after,
            items.c.sequence <= until,
        )
        .order_by(items.c.sequence)
    )
    return (change(row) for row in _streamed(connection, query))


def fetched(
    connection: Connection, collection: Collection, ids: Sequence[str]
) -> dict[str, StoredItem | Damaged]:
    """Return those of the items that are there, whole or named as damaged."""
    query = _whole_items(collection, collection.active_generation)
    return {
        row.item_id: stored(row, collection.kind)
        for group in id_groups(ids)
        for row in connection.execute(query.where(items.c.item_id.in_(group)))
    }


def damaged(
    connection: Connection, collection: Collection, generation: Generation, ids: Sequence[str]
) -> set[str]:
    """Return those of the items that are damaged in any part, the representation too."""
    query = _whole_items(collection, generation.id)
    return {
        row.item_id
        for group in id_groups(ids)
        for row in connection.execute(query.where(items.c.item_id.in_(group)))
        if isinstance(stored(row, collection.kind), Damaged) or isinstance(change(row), Damaged)
    }


def present(
    connection: Connection, collection: Collection, ids: Sequence[str]
) -> dict[str, Present]:
    """Return what is there of the ids, tombstones too."""
    query = select(*_ITEM_COLUMNS).where(items.c.collection == collection.id)
    return {
        row.item_id: _present(row)
        for group in id_groups(ids)
        for row in connection.execute(query.where(items.c.item_id.in_(group)))
    }


def page(
    connection: Connection, collection: Collection, *, after: str, size: int
) -> list[ItemSummary]:
    """Return at most size items whose id is greater than `after`, in the order of ids.

    Ids compare by their UTF-8 bytes. Damaged rows are left out.
    """
    query = (
        select(*_ITEM_COLUMNS)
        .where(
            items.c.collection == collection.id,
            items.c.deleted.is_(False),
            items.c.item_id > after,
        )
        .order_by(items.c.item_id)
    )
    whole = (summary(row) for row in _streamed(connection, query) if item_is_whole(row))
    return list(islice(whole, size))


def count(connection: Connection, collection: Collection) -> int:
    """Return the number of items that are there."""
    query = select(func.count()).where(
        items.c.collection == collection.id, items.c.deleted.is_(False)
    )
    return int(connection.execute(query).scalar_one())


def count_represented(connection: Connection, generation: Generation) -> int:
    """Return the number of representations under the generation."""
    query = select(func.count()).where(representations.c.generation == generation.id)
    return int(connection.execute(query).scalar_one())


def unrepresented(
    connection: Connection,
    collection: Collection,
    generation: Generation,
    *,
    after: int,
    limit: int,
) -> list[ItemSummary]:
    """Return at most limit items, changed after the sequence, that the generation lacks.

    An item that the generation represents in an earlier state is lacking too.
    """
    query = (
        select(*_ITEM_COLUMNS)
        .outerjoin_from(
            items,
            representations,
            and_(_represents(generation.id), representations.c.sequence == items.c.sequence),
        )
        .where(
            items.c.collection == collection.id,
            items.c.sequence > after,
            items.c.deleted.is_(False),
            representations.c.item_id.is_(None),
        )
        .order_by(items.c.sequence)
    )
    whole = (summary(row) for row in _streamed(connection, query) if item_is_whole(row))
    return list(islice(whole, limit))


def id_groups(ids: Iterable[str]) -> Iterator[list[str]]:
    """Yield the ids in groups that fit into one statement."""
    listed = list(ids)
    for start in range(0, len(listed), _IDS_PER_STATEMENT):
        yield listed[start : start + _IDS_PER_STATEMENT]


_ITEM_COLUMNS = (
    items.c.item_id,
    items.c.revision,
    items.c.sequence,
    items.c.deleted,
    items.c.owner_tag,
    items.c.sealed_size,
    items.c.content_digest,
    items.c.checksum,
)
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


def _represents(generation_id: int | None) -> Any:
    """Return the condition that joins items with a generation's representations."""
    return and_(
        representations.c.generation == generation_id,
        representations.c.item_id == items.c.item_id,
    )


def _whole_items(collection: Collection, generation_id: int | None) -> Select[Any]:
    """Return the query of a collection's items with their ciphertext and representation."""
    with_ciphertext = and_(
        ciphertexts.c.collection == items.c.collection, ciphertexts.c.item_id == items.c.item_id
    )
    return (
        select(*_ITEM_COLUMNS, *_CIPHERTEXT_COLUMNS, *_REPRESENTATION_COLUMNS)
        .outerjoin_from(items, ciphertexts, with_ciphertext)
        .outerjoin(representations, _represents(generation_id))
        .where(items.c.collection == collection.id, items.c.deleted.is_(False))
    )


def _streamed(connection: Connection, query: Select[Any]) -> Iterator[Any]:
    """Yield the rows a few at a time, so that a collection need not fit into memory twice."""
    with connection.execute(query.execution_options(yield_per=_ROWS_PER_FETCH)) as rows:
        yield from rows


def _present(row: Any) -> Present:
    is_whole = item_is_whole(row)
    return Present(
        is_whole=is_whole,
        revision=row.revision if is_whole else 0,
        sequence=row.sequence,
        digest=row.content_digest,
        deleted=bool(row.deleted),
    )
