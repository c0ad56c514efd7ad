"""The items of a collection: written, deleted, fetched, listed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

from cipherlens.server.call import Call
from cipherlens.server.engine.batches import Batch, ItemHead, item_batch
from cipherlens.server.engine.collections import Collections
from cipherlens.server.engine.fetching import MOST_ITEMS, Fetcher
from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.models import CollectionModels
from cipherlens.server.engine.room import Room
from cipherlens.server.errors import ServerError
from cipherlens.server.observing import Stage, timed
from cipherlens.server.revisions import lasting_revision
from cipherlens.server.storage import Database, ItemBatch, Transaction
from cipherlens.server.storage.records import (
    Collection,
    CollectionState,
    Damaged,
    Generation,
    ItemSummary,
    StoredItem,
    Written,
)


class Items:
    """Items by the name of their collection.

    A write is acknowledged when its transaction is on disk and the index has it.
    """

    def __init__(
        self, database: Database, collections: Collections, models: CollectionModels, room: Room
    ) -> None:
        self._database = database
        self._collections = collections
        self._models = models
        self._room = room
        self._fetcher = Fetcher(database)

    def index(
        self,
        name: str,
        heads: Sequence[ItemHead],
        batch: Batch,
        model_digest: bytes,
        call: Call,
        *,
        mask_id: str = "",
        collection_uuid: str = "",
    ) -> Written:
        """Write a batch, all or none, and return when it is on disk and searchable.

        Raises NotFound, CollectionReplaced, ProfileRefused, ModelRefused, MaskRefused,
        InvalidField, StaleRevision and what the queue raises.
        """
        live = self._collections.find(name, collection_uuid)
        while True:
            serving, rows = self._models.represent(
                live, batch, model_digest, mask_id, call, urgent=False
            )
            items = item_batch(heads, batch, rows)
            whole = self._whole(live, serving, items)
            with suppress(_TakenOver):  # by another model, with which to embed again
                put = partial(_put, live, serving.generation, items, whole, call)
                with timed(Stage.COMMIT):
                    return self._room.tidying(partial(live.write, put, call))

    def delete(self, name: str, ids: Sequence[str], up_to: int, call: Call) -> Written:
        """Delete items last written at a sequence or before; return when that is in force.

        On disk, too. Unknown ids are passed over; `unchanged_count` has those deleted since.
        """
        live = self._collections.served(name)
        remove = partial(_delete, ids, up_to, call)
        with timed(Stage.COMMIT):
            return self._room.making(partial(live.write, remove, call))

    def fetch(
        self, name: str, ids: Sequence[str]
    ) -> Iterator[tuple[Collection, str, StoredItem | Damaged | None]]:
        """Yield for each id the collection and what it stores, whole or as damaged, or None.

        They are read as they are taken, a bounded number of bytes at a time. Raises NotFound.
        """
        for start in range(0, len(ids), MOST_ITEMS):
            live = self._collections.find(name)
            for item_id, found in self._fetcher.fetch(live, ids[start : start + MOST_ITEMS]):
                yield live.collection, item_id, found

    def listed(self, name: str, *, after: str, size: int) -> list[ItemSummary]:
        """Return at most size items with ids greater than `after`, in the order of ids."""
        live = self._collections.find(name)
        with self._database.read() as transaction:
            return transaction.items.page(live.collection, after=after, size=size)

    def _whole(self, live: LiveCollection, serving: ItemIndex, items: ItemBatch) -> dict[str, int]:
        """Return the sequences of those items that are there, at their revision, and whole.

        Looked at before the locks are held: it reads all that is large of them.
        """
        there = serving.at_revisions(items.ids, items.revisions)
        if not there:
            return {}
        with self._database.read() as transaction:
            return transaction.items.whole(live.collection, serving.generation, there)


class _TakenOver(ServerError):
    """Another generation serves than the one that a batch was made for."""


def _put(
    live: LiveCollection,
    generation: Generation,
    items: ItemBatch,
    whole: Mapping[str, int],
    call: Call,
    transaction: Transaction,
    state: CollectionState,
) -> Written:
    call.check()
    if live.serving is None or live.serving.generation != generation:
        raise _TakenOver("another model took over")
    return transaction.items.put(state, generation, items, whole)


def _delete(
    ids: Sequence[str], up_to: int, call: Call, transaction: Transaction, state: CollectionState
) -> Written:
    call.check()
    return transaction.items.delete(state, ids, up_to=up_to, lasting=lasting_revision)
