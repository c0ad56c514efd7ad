"""Writing items, their ciphertexts and their representations, in batches."""

from collections.abc import Sequence

from sqlalchemy import Connection, Table, bindparam, delete, insert, update
from sqlalchemy.sql import ColumnElement

from cipherlens.server.errors import StaleRevision
from cipherlens.server.storage.checksum import Value, checksum
from cipherlens.server.storage.collections import take_sequences
from cipherlens.server.storage.reading import Present, damaged, id_groups, present
from cipherlens.server.storage.records import (
    Change,
    CipherPixels,
    Collection,
    Computed,
    Generation,
    NewItem,
    Written,
)
from cipherlens.server.storage.rows import ciphertext_checksum, item_checksum
from cipherlens.server.storage.schema import ciphertexts, items, representations


def put(
    connection: Connection, collection: Collection, generation: Generation, batch: Sequence[NewItem]
) -> Written:
    """Write a batch, all or none; an item that is there, equal in revision and content, stays.

    What is damaged is written again whatever its revision. Raises StaleRevision, naming the item,
    if its revision is not higher and the content differs.
    """
    digests = {item.item_id: content_digest(item) for item in batch}
    there = present(connection, collection, list(digests))
    same = [item.item_id for item in batch if _is_there(item, digests[item.item_id], there)]
    kept = set(same) - damaged(connection, collection, generation, same)
    written = [item for item in batch if item.item_id not in kept]
    if not written:
        return Written(changes=(), sequence=collection.sequence, unchanged_count=len(kept))
    first = take_sequences(connection, collection, len(written))
    numbered = list(enumerate(written, first))
    replaced = [item.item_id for item in written if item.item_id in there]
    _remove(connection, items, items.c.collection == collection.id, replaced)
    _remove(connection, ciphertexts, ciphertexts.c.collection == collection.id, replaced)
    _insert(connection, items, [_item_row(collection, n, each, digests) for n, each in numbered])
    _insert(connection, ciphertexts, [_ciphertext_row(collection, each) for each in written])
    _put_representations(
        connection,
        generation,
        [Computed(item_id=i.item_id, sequence=n, data=i.representation) for n, i in numbered],
    )
    return Written(
        changes=tuple(_change(number, item) for number, item in numbered),
        sequence=first + len(written) - 1,
        unchanged_count=len(kept),
    )


def put_representations(
    connection: Connection,
    collection: Collection,
    generation: Generation,
    rows: Sequence[Computed],
) -> None:
    """Store representations of those items that are still in the state they were computed from."""
    if generation.id not in (collection.active_generation, collection.shadow_generation):
        return  # nobody waits for this generation any more
    there = present(connection, collection, [each.item_id for each in rows])
    current = {item_id: row.sequence for item_id, row in there.items() if not row.deleted}
    _put_representations(
        connection,
        generation,
        [each for each in rows if current.get(each.item_id) == each.sequence],
    )


def delete_items(connection: Connection, collection: Collection, ids: Sequence[str]) -> Written:
    """Turn the items into tombstones and drop their ciphertext; unknown ids are passed over."""
    there = present(connection, collection, ids)
    gone = [item_id for item_id in ids if item_id in there and not there[item_id].deleted]
    if not gone:
        return Written(changes=(), sequence=collection.sequence, unchanged_count=len(ids))
    first = take_sequences(connection, collection, len(gone))
    changes = tuple(
        Change(sequence=n, item_id=item_id, revision=there[item_id].revision, representation=None)
        for n, item_id in enumerate(gone, first)
    )
    _bury(connection, collection, changes)
    _remove(connection, ciphertexts, ciphertexts.c.collection == collection.id, gone)
    for number in (collection.active_generation, collection.shadow_generation):
        if number is not None:
            _remove(connection, representations, representations.c.generation == number, gone)
    return Written(
        changes=changes, sequence=first + len(gone) - 1, unchanged_count=len(ids) - len(gone)
    )


def content_digest(item: NewItem) -> bytes:
    """Return 16 bytes over all that the owner sent.

    An embedding differs a little from one batch to the next, and so may a vector that was brought
    to unit length: what was sent speaks, not what was made of it.
    """
    compared: list[Value] = [item.owner_tag, item.sealed]
    if item.cipher:
        compared += [item.cipher.height, item.cipher.width, item.cipher.nonce, item.cipher.pixels]
    else:
        compared.append(item.content)
    return checksum(*compared)


def _is_there(item: NewItem, digest: bytes, there: dict[str, Present]) -> bool:
    """Return whether the same item is stored.

    A tombstone's revision counts: a late retry must not raise the dead.
    """
    stored = there.get(item.item_id)
    if stored is None or not stored.is_whole or item.revision > stored.revision:
        return False
    if item.revision == stored.revision and digest == stored.digest and not stored.deleted:
        return True
    state = "deleted" if stored.deleted else "stored with other content"
    raise StaleRevision(
        f"items: {item.item_id!r} is {state} at revision {stored.revision}; "
        f"a change needs a higher one, got {item.revision}",
        {
            "field": "items.revision",
            "item_id": item.item_id,
            "stored": str(stored.revision),
            "value": str(item.revision),
        },
    )


def _put_representations(
    connection: Connection, generation: Generation, rows: Sequence[Computed]
) -> None:
    ids = [each.item_id for each in rows]
    _remove(connection, representations, representations.c.generation == generation.id, ids)
    _insert(
        connection,
        representations,
        [
            {
                "generation": generation.id,
                "item_id": each.item_id,
                "sequence": each.sequence,
                "data": each.data,
                "checksum": checksum(each.item_id, each.sequence, each.data),
            }
            for each in rows
        ],
    )


def _insert(connection: Connection, table: Table, rows: Sequence[dict[str, object] | None]) -> None:
    if given := [row for row in rows if row is not None]:
        connection.execute(insert(table), given)


def _remove(
    connection: Connection, table: Table, where: ColumnElement[bool], ids: Sequence[str]
) -> None:
    for group in id_groups(ids):
        connection.execute(delete(table).where(where, table.c.item_id.in_(group)))


def _bury(connection: Connection, collection: Collection, changes: Sequence[Change]) -> None:
    statement = (
        update(items)
        .where(items.c.collection == collection.id, items.c.item_id == bindparam("of_item"))
        .values(
            deleted=True,
            revision=bindparam("at_revision"),
            owner_tag=b"",
            sealed_size=0,
            content_digest=b"",
            sequence=bindparam("at_sequence"),
            checksum=bindparam("with_checksum"),
        )
    )
    connection.execute(
        statement,
        [
            {
                "of_item": change.item_id,
                "at_revision": change.revision,
                "at_sequence": change.sequence,
                "with_checksum": item_checksum(
                    change.item_id, change.revision, change.sequence, True, b"", 0, b""
                ),
            }
            for change in changes
        ],
    )


def _change(sequence: int, item: NewItem) -> Change:
    return Change(
        sequence=sequence,
        item_id=item.item_id,
        revision=item.revision,
        representation=item.representation,
    )


def _item_row(
    collection: Collection, sequence: int, item: NewItem, digests: dict[str, bytes]
) -> dict[str, object]:
    digest, size = digests[item.item_id], len(item.sealed)
    return {
        "collection": collection.id,
        "item_id": item.item_id,
        "revision": item.revision,
        "sequence": sequence,
        "deleted": False,
        "owner_tag": item.owner_tag,
        "sealed_size": size,
        "content_digest": digest,
        "checksum": item_checksum(
            item.item_id, item.revision, sequence, False, item.owner_tag, size, digest
        ),
    }


def _ciphertext_row(collection: Collection, item: NewItem) -> dict[str, object] | None:
    """Return the row of what stands beside the representation, None if nothing does."""
    if not (item.cipher or item.sealed):
        return None
    cipher = item.cipher or CipherPixels(height=0, width=0, nonce=b"", pixels=b"")
    return {
        "collection": collection.id,
        "item_id": item.item_id,
        "height": cipher.height,
        "width": cipher.width,
        "nonce": cipher.nonce,
        "pixels": cipher.pixels,
        "sealed": item.sealed,
        "checksum": ciphertext_checksum(item.item_id, cipher, item.sealed),
    }
