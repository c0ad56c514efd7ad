"""The engine: everything that RetrievalService does, as plain calls.

A write is acknowledged when its transaction is on disk and the index has it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import TypeVar

from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding import EmbeddingModels
from cipherlens.server.engine.background import Background
from cipherlens.server.engine.batches import (
    Batch,
    CodeBatch,
    ItemHead,
    NewCollection,
    VectorBatch,
    item_batch,
)
from cipherlens.server.engine.checks import (
    check_batch,
    check_index,
    check_served,
    check_uuid,
)
from cipherlens.server.engine.creation import made_collection
from cipherlens.server.engine.description import CollectionDescription, describe
from cipherlens.server.engine.fetching import MOST_ITEMS, Fetcher
from cipherlens.server.engine.following import Follower
from cipherlens.server.engine.item_index import Answer, ItemIndex, Rows
from cipherlens.server.engine.keeping import IndexKeeper
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.loading import Loader, LoadProgress
from cipherlens.server.engine.models import CollectionModels, in_use
from cipherlens.server.engine.refreshing import Refresher
from cipherlens.server.engine.registry import Registry
from cipherlens.server.engine.replacement import replace_collection
from cipherlens.server.engine.role import Role
from cipherlens.server.engine.samples import samples
from cipherlens.server.engine.sweeping import Sweeper
from cipherlens.server.engine.tag_postings import TagFilter
from cipherlens.server.engine.takeover import Takeover
from cipherlens.server.engine.upkeep import CollectionChore, Upkeep
from cipherlens.server.engine.vector_tables import Finder, TableSweeper
from cipherlens.server.engine.waiters import Waiters
from cipherlens.server.engine.writing import Writer
from cipherlens.server.errors import CollectionReplaced, NotFound, ServerError, StorageFull
from cipherlens.server.index import SearchParameters, VectorIndex, new_index, resolve_device
from cipherlens.server.locks import ANY_CALL, CallLock
from cipherlens.server.observing import Sample, Stage, timed
from cipherlens.server.revisions import lasting_revision
from cipherlens.server.storage import (
    IndexFiles,
    ItemBatch,
    ModelStore,
    Transaction,
    address_of,
    open_database,
)
from cipherlens.server.storage.records import (
    Collection,
    CollectionState,
    Damaged,
    Generation,
    ItemSummary,
    StoredItem,
    Written,
)
from cipherlens.server.vectors import open_vectors

_log = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class Engine:
    """The collections and models of a data folder; any method may be called from any thread.

    models: the models held here.
    role: whether this process leads or follows.
    """

    def __init__(self, config: ServerConfig, follow_at: str | None = None) -> None:
        """Open the data folder; `load` comes next.

        follow_at: where calls of other processes are taken while this one leads; it follows the
            one that does, if there is one. None for one that must lead.

        Raises StartupError; VectorIndexError or ValueError if the device is not there.
        """
        self.device = resolve_device(config.device)
        self._ivf = config.ivf
        # As much as calls under way can change; who waits for more has it from elsewhere.
        limits = config.limits
        self._reach = limits.max_concurrent_calls * limits.max_batch_items
        self._registry = Registry()
        # Held from a collection's commit until it is served: what is there and not served, is not
        # being made.
        self._creating = CallLock("the list of collections")
        # A third of the places that reading calls have: other searches go on.
        self._waiters = Waiters(max(1, limits.max_concurrent_calls // 4))
        with ExitStack() as opened:
            address = address_of(config)
            self._database = open_database(config.data_dir, address, follow_at)
            opened.callback(self._database.close)
            self._vectors = open_vectors(config, address)
            if self._vectors is not None:
                opened.callback(self._vectors.close)
            self._store = store = ModelStore(self._database, config.data_dir / "models")
            embedding = EmbeddingModels(store.read, config, lambda: in_use(self._registry))
            opened.callback(embedding.close)
            self._samples = partial(samples, self._registry, embedding)
            takeover = Takeover(
                self._database,
                embedding,
                taken_over=self._begin_sweeping,
                is_closing=lambda: self._background.closed,
            )
            self._keeper = IndexKeeper(
                IndexFiles(config.data_dir / "indexes"), lambda: self._database.owns_folder
            )
            opened.callback(lambda: self._keeper.keep_all(self._registry.listed()))
            self._background = Background()
            opened.callback(self._background.close)
            self._upkeep = Upkeep(
                self._database, takeover, self._keeper, shares=follow_at is not None
            )
            self._sweeper = Sweeper(
                self._database,
                self._registry,
                self._background,
                keep_tombstones_s=config.keep_tombstones_s,
            )
            self._table_sweeper: TableSweeper | None = None
            if self._vectors is not None:
                Finder(self._vectors, self._registry, self._background, self._consider)
                self._table_sweeper = TableSweeper(self._vectors, self._registry, self._background)
            self.models = CollectionModels(store, embedding, self._registry, self._consider)
            self._fetcher = Fetcher(self._database)
            self._writer = Writer(self._database, self._consider)
            self._loader = Loader(self._database, self._keeper, self._new_live)
            self._refresher = Refresher(
                self._database, self._registry, self._creating, self._loader, self._consider
            )
            self._database.when_unknown(self._begin_refreshing)
            if self._database.takes_writes:
                self._clear_away()
            follower = None
            if follow_at is not None or config.database is not None:
                follower = Follower(
                    self._database,
                    self._registry,
                    self._loader,
                    consider=self._consider,
                    led=self._led,
                )
                opened.callback(follower.close)
            self.role = Role(self._database, follower, self._vectors, config.max_lag_s)
            self._opened = opened.pop_all()

    def load(self, watch: Callable[[LoadProgress], None] = lambda _: None) -> None:
        """Load every collection that is sound; one that is damaged is named and set aside.

        Once, before anything else is asked. `watch` is told how far it is, now and then; what it
        raises ends this.
        """
        for live in self._loader.loaded(self._registry.set_aside, watch):
            self._registry.add(live)
            self._consider(live)
        if self._database.takes_writes:
            self._keeper.forget_all_but(self._registry.listed())
            self._begin_sweeping()
        self.role.start()

    @property
    def vectors_place(self) -> str:
        """Where the vectors are, for people, empty if they are here."""
        return "" if self._vectors is None else self._vectors.place

    def samples(self) -> Iterator[Sample]:
        """Yield sizes, queues and how far collections are, for who watches."""
        yield from self._samples()
        yield from self.role.samples()
        if self._vectors is not None:
            doc = "Whether the engine of the vectors answers."
            yield Sample("cipherlens_vectors_up", doc, {}, self._vectors.link.is_up)
        for name, size_bytes in self._database.sizes().items():
            doc = "Bytes of the database's files."
            yield Sample("cipherlens_database_bytes", doc, {"file": name}, size_bytes)

    def close(self) -> None:
        """Finish what was begun and close the database; a second time does nothing."""
        self._opened.close()

    def create_collection(self, new: NewCollection, call: Call = ANY_CALL) -> CollectionDescription:
        """Make an empty collection, with a model held here if it names one: both or neither.

        Raises InvalidField for its index, AlreadyExists; NotFound, ProfileRefused and what trying
        a model raises, for its model.
        """
        check_index(new.kind, new.index_choice, self.device)
        with ExitStack() as trying:
            embedder = None
            if new.kind is Kind.CIPHER and new.encoder_digest:
                embedder = trying.enter_context(self.models.at_hand(new.encoder_digest, call))
            with self._creating.held(call):
                with self._database.write(call) as transaction:
                    state = made_collection(transaction, new, embedder)
                    live = self._loader.load(transaction, state)
                    description = describe(transaction, live)
                self._registry.add(live)
        return description

    def drop_collection(self, name: str, call: Call = ANY_CALL) -> None:
        """Delete a collection with all it holds, damaged or not. Raises NotFound.

        It is gone at once; its rows are removed in the background.
        """
        self._making_room(lambda: self._drop(name, call))
        self.models.release()
        self._begin_sweeping()

    def replace_collection(
        self, name: str, replacement: str, sequence: int, call: Call = ANY_CALL
    ) -> CollectionDescription:
        """Give a collection the name and the place of another, which is deleted: both or neither.

        Raises NotFound, InvalidField, CollectionChanged if the other is past the sequence.
        """
        old, new = self._registry.find(name), self._registry.find(replacement)
        replace_collection(self._database, self._registry, old, new, sequence, call)
        self._keeper.forget(old)
        self.models.release()
        self._begin_sweeping()
        return self.describe(name)

    def describe(self, name: str) -> CollectionDescription:
        """Describe a collection. Raises NotFound."""
        with self._database.read() as transaction:
            return describe(transaction, self._found(name))

    def describe_all(self) -> list[CollectionDescription]:
        """Describe all collections that are served, by name."""
        self.role.catch_up()
        described = []
        for live in self._registry.listed():
            # One that is dropped at this moment is left out.
            with suppress(NotFound), self._database.read() as transaction:
                described.append(describe(transaction, live))
        return described

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
        live = self._found(name, collection_uuid)
        while True:
            serving, rows = self._represent(live, batch, model_digest, mask_id, call, urgent=False)
            items = item_batch(heads, batch, rows)
            whole = self._whole(live, serving, items)
            with suppress(_TakenOver):  # by another model, with which to embed again
                put = partial(_put, live, serving.generation, items, whole, call)
                with timed(Stage.COMMIT):
                    return self._tidying(partial(live.write, put, call))

    def delete(self, name: str, ids: Sequence[str], up_to: int, call: Call) -> Written:
        """Delete items last written at a sequence or before; return when that is in force.

        On disk, too. Unknown ids are passed over; `unchanged_count` has those deleted since.
        """
        live = self._registry.find(name)
        with timed(Stage.COMMIT):
            return self._making_room(lambda: live.write(partial(_delete, ids, up_to, call), call))

    def search(
        self,
        name: str,
        queries: Batch,
        k: int,
        parameters: SearchParameters,
        *,
        min_sequence: int,
        seen_sequence: int = 0,
        model_digest: bytes,
        mask_id: str = "",
        collection_uuid: str = "",
        kept: TagFilter | None = None,
        call: Call = ANY_CALL,
    ) -> Answer:
        """Rank the collection, or what a filter keeps of it, for each query.

        min_sequence: a change that is waited for.
        seen_sequence: one that is looked for in the database, if another process writes to it.

        Raises NotFound, CollectionReplaced, ProfileRefused, ModelRefused, MaskRefused,
        InvalidField, OutOfReach, DeadlineExpired and what the queue raises.
        """
        live = self._found(name, collection_uuid)
        self.role.look_for(live, seen_sequence)
        self._wait(live, min_sequence, call)
        serving, rows = self._represent(live, queries, model_digest, mask_id, call, urgent=True)
        with timed(Stage.SEARCH):
            return live.search(serving, rows, k, parameters, call, kept)

    def search_quick(
        self,
        name: str,
        queries: VectorBatch | CodeBatch,
        k: int,
        parameters: SearchParameters,
        *,
        model_digest: bytes,
        mask_id: str = "",
        collection_uuid: str = "",
        seen_sequence: int = 0,
        kept: TagFilter | None = None,
        at_most_bytes: int,
    ) -> Answer | None:
        """Rank the collection for each query; None if that takes time.

        It does where it reads more of the index than so much, or would have to wait for a change
        that is being made, or look for one in the database. Raises NotFound, CollectionReplaced,
        ModelRefused, MaskRefused, InvalidField.
        """
        live = self._registry.find(name)
        check_uuid(live.collection, collection_uuid)
        check_batch(live.collection, queries)
        if not self.role.leads and not live.sees(seen_sequence):
            return None
        serving = _serving(live, model_digest, mask_id)
        if serving.reads_bytes(parameters, kept) * len(queries) > at_most_bytes:
            return None
        with timed(Stage.SEARCH):
            answer, is_clean = serving.search(queries.rows, k, parameters, kept)
        return answer if is_clean else None

    def count(
        self,
        name: str,
        kept: TagFilter | None = None,
        *,
        min_sequence: int = 0,
        seen_sequence: int = 0,
        collection_uuid: str = "",
        call: Call = ANY_CALL,
    ) -> tuple[int, int]:
        """Return how many items a filter keeps, all without one, and the last change seen.

        Raises NotFound, CollectionReplaced, OutOfReach, DeadlineExpired, StorageUnavailable.
        """
        live = self._found(name, collection_uuid)
        self.role.look_for(live, seen_sequence)
        self._wait(live, min_sequence, call)
        serving = live.serving
        live.check_there()
        return (0, 0) if serving is None else live.count(serving, kept, call)

    def fetch(
        self, name: str, ids: Sequence[str]
    ) -> Iterator[tuple[Collection, str, StoredItem | Damaged | None]]:
        """Yield for each id the collection and what it stores, whole or as damaged, or None.

        They are read as they are taken, a bounded number of bytes at a time. Raises NotFound.
        """
        for start in range(0, len(ids), MOST_ITEMS):
            live = self._found(name)
            for item_id, found in self._fetcher.fetch(live, ids[start : start + MOST_ITEMS]):
                yield live.collection, item_id, found

    def list_items(self, name: str, *, after: str, size: int) -> list[ItemSummary]:
        """Return at most size items with ids greater than `after`, in the order of ids."""
        live = self._found(name)
        with self._database.read() as transaction:
            return transaction.items.page(live.collection, after=after, size=size)

    def _found(self, name: str, uuid: str = "") -> LiveCollection:
        """Return the collection of a name, if it is of the UUID. Raises NotFound, DataDamaged.

        Raises CollectionReplaced as well. What another process may just have made is looked for.
        """
        try:
            live = self._registry.find(name)
            check_uuid(live.collection, uuid)
        except (NotFound, CollectionReplaced):
            if not self.role.catch_up():
                raise
            live = self._registry.find(name)
            check_uuid(live.collection, uuid)
        return live

    def _wait(self, live: LiveCollection, min_sequence: int, call: Call) -> None:
        """Return once searches see a change. Raises OutOfReach, DeadlineExpired."""
        if min_sequence and not live.sees(min_sequence):
            self.role.look_for(live, min_sequence)
            live.check_within(min_sequence, self._reach)
            with self._waiters:
                live.wait_for(min_sequence, call)

    def _drop(self, name: str, call: Call) -> None:
        if self._registry.is_set_aside(name):
            with self._database.write(call) as transaction:
                transaction.collections.drop(name)
            self._registry.forget(name)
            return
        live = self._registry.find(name)
        with live.writing.held(call), live.committing():
            live.check_there()
            with self._database.write(call) as transaction:
                transaction.collections.drop(name)
            live.mark_dropped()
            self._registry.remove(live)
        self._keeper.forget(live)

    def _making_room(self, work: Callable[[], _Result]) -> _Result:
        """Return what a deletion does, tried again in the room kept for it if the disk is full."""
        try:
            return work()
        except StorageFull:
            if not self._database.make_room():
                raise
        return self._tidying(work)

    def _tidying(self, work: Callable[[], _Result]) -> _Result:
        """Return what a write does; where the disk is full, have given back what can be."""
        try:
            return work()
        except StorageFull:
            self._sweeper.begin()
            raise

    def _whole(self, live: LiveCollection, serving: ItemIndex, items: ItemBatch) -> dict[str, int]:
        """Return the sequences of those items that are there, at their revision, and whole.

        Looked at before the locks are held: it reads all that is large of them.
        """
        there = serving.at_revisions(items.ids, items.revisions)
        if not there:
            return {}
        with self._database.read() as transaction:
            return transaction.items.whole(live.collection, serving.generation, there)

    def _consider(self, live: LiveCollection) -> None:
        if self._upkeep.is_wanted(live):
            self._background.consider(CollectionChore(live, self._upkeep))

    def _clear_away(self) -> None:
        """Remove what was never written in full, and have all models: nobody else writes any."""
        self._store.take_in()
        if self._database.owns_folder:
            self._store.clear_away()
            self._keeper.clear_away()

    def _led(self) -> None:
        """Take up what only the process that leads does."""
        self._clear_away()
        listed = self._registry.listed()
        self._keeper.forget_all_but(listed)
        for live in listed:
            self._consider(live)
        self._sweeper.begin()

    def _begin_refreshing(self) -> None:
        self._refresher.wants_work = True
        self._background.consider(self._refresher)

    def _begin_sweeping(self) -> None:
        self._sweeper.begin()
        if self._table_sweeper is not None:
            self._table_sweeper.begin()

    def _new_live(self, collection: Collection) -> LiveCollection:
        return LiveCollection(collection, partial(self._new_index, collection), self._writer.write)

    def _new_index(self, collection: Collection, generation: Generation) -> VectorIndex:
        kind, length, choice = collection.kind, generation.length, collection.index_choice
        if self._vectors is not None:
            return self._vectors.index(collection.uuid, generation.id, kind, length, choice)
        return new_index(kind, length, self.device, self._ivf, choice)

    def _represent(
        self,
        live: LiveCollection,
        batch: Batch,
        model_digest: bytes,
        mask_id: str,
        call: Call,
        *,
        urgent: bool,
    ) -> tuple[ItemIndex, Rows]:
        """Return the index that answers and the rows that it compares, one per item or query."""
        check_batch(live.collection, batch)
        while True:
            serving = _serving(live, model_digest, mask_id)
            rows = self.models.rows(live, serving, batch, call, urgent=urgent)
            if rows is not None:  # else see which model serves now
                return serving, rows


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


def _serving(live: LiveCollection, model_digest: bytes, mask_id: str) -> ItemIndex:
    """Return the index that answers. Raises NotFound, NoModel, ModelRefused, MaskRefused."""
    serving = live.serving
    live.check_there()  # after the index was taken: a dropped collection has none
    return check_served(live.collection, serving, model_digest, mask_id)
