"""Writing items, their ciphertexts and their representations, in batches."""

from collections.abc import Sequence

from sqlalchemy import Connection, Delete, Table, bindparam, delete, insert, update

from cipherlens.server.errors import StaleRevision
from cipherlens.server.storage.checksum import Value, checksum
from cipherlens.server.storage.collections import Collections
from cipherlens.server.storage.reading import ItemReader, Present, id_groups
from cipherlens.server.storage.records import (
    Change,
    CipherPixels,
    Collection,
    CollectionState,
    Computed,
    Generation,
    NewItem,
    Written,
)
from cipherlens.server.storage.rows import ciphertext_checksum, item_checksum
from cipherlens.server.storage.schema import ciphertexts, items, representations


def _removal(table: Table, owner: str) -> Delete:
    """Return the statement that deletes rows by their owner, a collection or generation, and id."""
    return delete(table).where(
        table.c[owner] == bindparam("owner"),
        table.c.item_id.in_(bindparam("ids", expanding=True)),
    )


_REMOVE_ITEMS = _removal(items, "collection")
_REMOVE_CIPHERTEXTS = _removal(ciphertexts, "collection")
_REMOVE_REPRESENTATIONS = _removal(representations, "generation")
_BURY = (
    update(items)
    .where(items.c.collection == bindparam("of"), items.c.item_id == bindparam("of_item"))
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


class Items(ItemReader):
    """The items of all collections, read and written within one transaction."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._collections = Collections(connection)

    def put(
        self, state: CollectionState, generation: Generation, batch: Sequence[NewItem]
    ) -> Written:
        """Write a batch, all or none; an item that is there, equal in revision and content, stays.

        What is damaged is written again whatever its revision. Raises StaleRevision, naming the
        item, if its revision is not higher and the content differs.
        """
        collection = state.collection
        digests = {item.item_id: content_digest(item) for item in batch}
        there = self.present(collection, list(digests))
        same = [item.item_id for item in batch if _is_there(item, digests[item.item_id], there)]
        kept = set(same) - self.damaged(collection, generation, same)
        written = [item for item in batch if item.item_id not in kept]
        if not written:
            return Written(changes=(), sequence=state.sequence, unchanged_count=len(kept))
        first = self._collections.take_sequences(collection, len(written))
        replaced = [item.item_id for item in written if item.item_id in there]
        self._remove(_REMOVE_ITEMS, collection.id, replaced)
        self._remove(_REMOVE_CIPHERTEXTS, collection.id, replaced)
        self._insert(
            items,
            [
                _item_row(collection, item, sequence, digests[item.item_id])
                for sequence, item in enumerate(written, first)
            ],
        )
        beside = [item for item in written if item.cipher or item.sealed]
        self._insert(ciphertexts, [_ciphertext_row(collection, item) for item in beside])
        changes = tuple(_change(item, sequence) for sequence, item in enumerate(written, first))
        self._represent(generation, [_computed(change) for change in changes])
        return Written(
            changes=changes, sequence=first + len(written) - 1, unchanged_count=len(kept)
        )

    def put_representations(
        self, state: CollectionState, generation: Generation, rows: Sequence[Computed]
    ) -> None:
        """Store representations of items that are still in the state they were computed from."""
        if generation.id not in (state.active_generation, state.shadow_generation):
            return  # nobody waits for this generation any more
        there = self.present(state.collection, [each.item_id for each in rows])
        current = {item_id: row.sequence for item_id, row in there.items() if not row.deleted}
        self._represent(
            generation, [each for each in rows if current.get(each.item_id) == each.sequence]
        )

    def delete(self, state: CollectionState, ids: Sequence[str]) -> Written:
        """Turn the items into tombstones and drop their ciphertext; unknown ids are passed over."""
        collection = state.collection
        there = self.present(collection, ids)
        gone = [item_id for item_id in ids if item_id in there and not there[item_id].deleted]
        if not gone:
            return Written(changes=(), sequence=state.sequence, unchanged_count=len(ids))
        first = self._collections.take_sequences(collection, len(gone))
        changes = tuple(
            Change(
                sequence=sequence,
                item_id=item_id,
                revision=there[item_id].revision,
                representation=None,
            )
            for sequence, item_id in enumerate(gone, first)
        )
        self._connection.execute(_BURY, [_burial(collection, each) for each in changes])
        self._remove(_REMOVE_CIPHERTEXTS, collection.id, gone)
        for number in (state.active_generation, state.shadow_generation):
            if number is not None:
                self._remove(_REMOVE_REPRESENTATIONS, number, gone)
        return Written(
            changes=changes, sequence=first + len(gone) - 1, unchanged_count=len(ids) - len(gone)
        )

    def _represent(self, generation: Generation, rows: Sequence[Computed]) -> None:
        self._remove(_REMOVE_REPRESENTATIONS, generation.id, [each.item_id for each in rows])
        self._insert(representations, [_representation_row(generation, each) for each in rows])

    def _insert(self, table: Table, rows: Sequence[dict[str, object]]) -> None:
        if rows:
            self._connection.execute(insert(table), rows)

    def _remove(self, statement: Delete, owner: int, ids: Sequence[str]) -> None:
        for group in id_groups(ids):
            self._connection.execute(statement, {"owner": owner, "ids": group})


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


def _change(item: NewItem, sequence: int) -> Change:
    return Change(
        sequence=sequence,
        item_id=item.item_id,
        revision=item.revision,
        representation=item.representation,
    )


def _computed(change: Change) -> Computed:
    return Computed(
        item_id=change.item_id, sequence=change.sequence, data=change.representation or b""
    )


def _burial(collection: Collection, change: Change) -> dict[str, object]:
    """Return the parameters that turn an item's row into a tombstone."""
    return {
        "of": collection.id,
        "of_item": change.item_id,
        "at_revision": change.revision,
        "at_sequence": change.sequence,
        "with_checksum": item_checksum(
            change.item_id, change.revision, change.sequence, True, b"", 0, b""
        ),
    }


def _representation_row(generation: Generation, computed: Computed) -> dict[str, object]:
    return {
        "generation": generation.id,
        "item_id": computed.item_id,
        "sequence": computed.sequence,
        "data": computed.data,
        "checksum": checksum(computed.item_id, computed.sequence, computed.data),
    }


def _item_row(
    collection: Collection, item: NewItem, sequence: int, digest: bytes
) -> dict[str, object]:
    size = len(item.sealed)
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


def _ciphertext_row(collection: Collection, item: NewItem) -> dict[str, object]:
    """Return the row of what stands beside the representation."""
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
