"""Writing items, their ciphertexts and their representations, in batches."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType

from sqlalchemy import Connection, Delete, Table, bindparam, delete, update

from cipherlens.server.errors import StaleRevision
from cipherlens.server.storage.batch import ItemBatch, Row
from cipherlens.server.storage.checksum import with_sequence
from cipherlens.server.storage.collections import Collections
from cipherlens.server.storage.reading import ItemReader, Present, id_groups
from cipherlens.server.storage.records import (
    Change,
    Collection,
    CollectionState,
    Computed,
    Generation,
    Written,
)
from cipherlens.server.storage.rows import data_digest, item_digest, name_of
from cipherlens.server.storage.schema import ciphertexts, items, representations
from cipherlens.server.storage.statements import AlreadyThere, Insertion, attempt


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
        tokens=None,
        sealed_tags=None,
        sequence=bindparam("at_sequence"),
        checksum=bindparam("with_checksum"),
    )
)


_INSERT_ITEMS = Insertion(items)
_INSERT_CIPHERTEXTS = Insertion(ciphertexts, rows_at_once=8)
_INSERT_REPRESENTATIONS = Insertion(representations)


class Items(ItemReader):
    """The items of all collections, read and written within one transaction."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._collections = Collections(connection)

    def put(
        self,
        state: CollectionState,
        generation: Generation,
        batch: ItemBatch,
        whole: Mapping[str, int] = MappingProxyType({}),
    ) -> Written:
        """Write a batch, all or none; an item that is there, equal in revision and content, stays.

        What is damaged is written again whatever its revision. Raises StaleRevision, naming the
        item, if its revision is not higher and the content differs; nothing was written then.

        whole: what `whole` has said a moment ago of items that may be there: what it says of an
            item that has not changed since is not looked at again.
        """
        if not whole:
            # Nearly always all are new, which SQLite finds out as it writes them.
            with suppress(AlreadyThere), attempt(self._connection):
                return self._put_new(state, generation, batch)
        return self._put_over(state, generation, batch, whole)

    def put_representations(
        self, state: CollectionState, generation: Generation, rows: Sequence[Computed]
    ) -> None:
        """Store representations of items that are still in the state they were computed from."""
        if generation.id not in (state.active_generation, state.shadow_generation):
            return  # nobody waits for this generation any more
        there = self.present(state.collection, [each.item_id for each in rows])
        current = {item_id: row.sequence for item_id, row in there.items() if not row.deleted}
        fresh = [each for each in rows if current.get(each.item_id) == each.sequence]
        self._remove(_REMOVE_REPRESENTATIONS, generation.id, [each.item_id for each in fresh])
        _INSERT_REPRESENTATIONS.run(
            self._connection, [_representation_row(generation, each) for each in fresh]
        )

    def delete(
        self,
        state: CollectionState,
        ids: Sequence[str],
        *,
        up_to: int,
        lasting: Callable[[int], int],
    ) -> Written:
        """Turn the items into tombstones and drop their ciphertext; unknown ids are passed over.

        What is sound and was written after the sequence `up_to` stays, so that a late request
        destroys no newer write. Those deleted after it are counted as unchanged. `lasting` tells
        what a tombstone keeps of the item's revision.
        """
        collection = state.collection
        there = self.present(collection, ids)
        since = sum(row.deleted and row.sequence > up_to for row in there.values())
        gone = [
            item_id
            for item_id in ids
            if (row := there.get(item_id)) is not None
            and not row.deleted
            and (row.sequence <= up_to or not row.is_whole)
        ]
        if not gone:
            return Written(changes=(), sequence=state.sequence, unchanged_count=since)
        first = self._collections.take_sequences(state, len(gone))
        changes = tuple(
            Change(
                sequence=sequence,
                item_id=item_id,
                revision=lasting(there[item_id].revision),
                representation=None,
            )
            for sequence, item_id in enumerate(gone, first)
        )
        self._connection.execute(_BURY, [_burial(collection, each) for each in changes])
        self._remove(_REMOVE_CIPHERTEXTS, collection.id, gone)
        for number in (state.active_generation, state.shadow_generation):
            if number is not None:
                self._remove(_REMOVE_REPRESENTATIONS, number, gone)
        return Written(changes=changes, sequence=first + len(gone) - 1, unchanged_count=since)

    def _put_over(
        self,
        state: CollectionState,
        generation: Generation,
        batch: ItemBatch,
        whole: Mapping[str, int],
    ) -> Written:
        """Write a batch of which some may be there."""
        collection = state.collection
        there = self.present(collection, batch.ids)
        heads = list(zip(batch.ids, batch.revisions, batch.content_digests, strict=True))
        same = [head[0] for head in heads if _is_there(*head, there)]
        unseen = [each for each in same if whole.get(each) != there[each].sequence]
        kept = set(same).difference(unseen) | self.whole(collection, generation, unseen).keys()
        written = batch.only([item_id not in kept for item_id in batch.ids])
        if not len(written):
            return Written(changes=(), sequence=state.sequence, unchanged_count=len(kept))
        replaced = [item_id for item_id in written.ids if item_id in there]
        self._remove(_REMOVE_ITEMS, collection.id, replaced)
        self._remove(_REMOVE_CIPHERTEXTS, collection.id, written.ids)
        self._remove(_REMOVE_REPRESENTATIONS, generation.id, written.ids)
        done = self._put_new(state, generation, written)
        return replace(done, unchanged_count=len(kept))

    def _put_new(self, state: CollectionState, generation: Generation, batch: ItemBatch) -> Written:
        """Write items of which nothing is there; where something is, the driver refuses it."""
        collection = state.collection.id
        first = self._collections.take_sequences(state, len(batch))
        _INSERT_ITEMS.run(self._connection, batch.item_rows(collection, first))
        _INSERT_CIPHERTEXTS.run(self._connection, batch.ciphertext_rows(collection))
        _INSERT_REPRESENTATIONS.run(
            self._connection, batch.representation_rows(generation.id, first)
        )
        last = first + len(batch) - 1
        return Written(changes=batch.changes(first), sequence=last, unchanged_count=0)

    def _remove(self, statement: Delete, owner: int, ids: Sequence[str]) -> None:
        for group in id_groups(ids):
            self._connection.execute(statement, {"owner": owner, "ids": group})


def _is_there(item_id: str, revision: int, digest: bytes, there: Mapping[str, Present]) -> bool:
    """Return whether the same item is stored.

    A tombstone's revision counts: a late retry must not raise the dead.
    """
    stored = there.get(item_id)
    if stored is None or not stored.is_whole or revision > stored.revision:
        return False
    if revision == stored.revision and digest == stored.digest and not stored.deleted:
        return True
    state = "deleted" if stored.deleted else "stored with other content"
    raise StaleRevision(
        f"items: {item_id!r} is {state} at revision {stored.revision}; "
        f"a change needs a higher one, got {revision}",
        {
            "field": "items.revision",
            "item_id": item_id,
            "stored": str(stored.revision),
            "value": str(revision),
        },
    )


def _burial(collection: Collection, change: Change) -> dict[str, object]:
    """Return the parameters that turn an item's row into a tombstone."""
    digest = item_digest(name_of(change.item_id), change.revision, True, b"", 0, b"")
    return {
        "of": collection.id,
        "of_item": change.item_id,
        "at_revision": change.revision,
        "at_sequence": change.sequence,
        "with_checksum": with_sequence(digest, change.sequence),
    }


def _representation_row(generation: Generation, computed: Computed) -> Row:
    stamp = with_sequence(data_digest(name_of(computed.item_id), computed.data), computed.sequence)
    return (generation.id, computed.item_id, computed.sequence, computed.data, stamp)
