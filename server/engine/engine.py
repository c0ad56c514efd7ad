"""The engine: a data folder opened, with all that RetrievalService does with it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding import EmbeddingModels
from cipherlens.server.engine.collections import Collections
from cipherlens.server.engine.following import Follower
from cipherlens.server.engine.housekeeping import Housekeeping
from cipherlens.server.engine.items import Items
from cipherlens.server.engine.keeping import IndexKeeper
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.loading import Loader, LoadProgress
from cipherlens.server.engine.models import CollectionModels, in_use
from cipherlens.server.engine.registry import Registry
from cipherlens.server.engine.role import Role
from cipherlens.server.engine.samples import samples
from cipherlens.server.engine.searching import Searches
from cipherlens.server.engine.writing import Writer
from cipherlens.server.index import VectorIndex, new_index, resolve_device
from cipherlens.server.observing import Sample
from cipherlens.server.storage import IndexFiles, ModelStore, address_of, open_database
from cipherlens.server.storage.records import Collection, Generation
from cipherlens.server.vectors import open_vectors


class Engine:
    """A data folder; any method of it and its parts may be called from any thread.

    collections, items, searches, models: what calls ask for.
    role: whether this process leads or follows.
    device: where indexes are.
    """

    def __init__(self, config: ServerConfig, follow_at: str | None = None) -> None:
        """Open the data folder; `load` comes next.

        follow_at: where calls of other processes are taken while this one leads; it follows the
            one that does, if there is one. None for one that must lead.

        Raises StartupError; VectorIndexError or ValueError if the device is not there.
        """
        self.device = resolve_device(config.device)
        self._config = config
        self._registry = Registry()
        with ExitStack() as opened:
            self._open_stores(opened, follow_at)
            self._embedding = EmbeddingModels(
                self._store.read, config, lambda: in_use(self._registry)
            )
            opened.callback(self._embedding.close)
            self._keep_house(opened, shares=follow_at is not None)
            if self._database.takes_writes:
                self._clear_away()
            follows = follow_at is not None or config.database is not None
            follower = self._follower(opened) if follows else None
            self.role = Role(self._database, follower, self._vectors, config.max_lag_s)
            self._answer_calls()
            self._opened = opened.pop_all()

    def _open_stores(self, opened: ExitStack, follow_at: str | None) -> None:
        """Open what lasts: the database, the engine of vectors, files of models and indexes."""
        config, address = self._config, address_of(self._config)
        self._database = open_database(config.data_dir, address, follow_at)
        opened.callback(self._database.close)
        self._vectors = open_vectors(config, address)
        if self._vectors is not None:
            opened.callback(self._vectors.close)
        self._store = ModelStore(self._database, config.data_dir / "models")
        self._keeper = IndexKeeper(
            IndexFiles(config.data_dir / "indexes"), lambda: self._database.owns_folder
        )

    def _keep_house(self, opened: ExitStack, *, shares: bool) -> None:
        """Make what loads, writes and looks after collections."""
        self._housekeeping = Housekeeping(
            self._database,
            self._registry,
            self._keeper,
            self._embedding,
            self._config,
            shares=shares,
        )
        opened.callback(self._housekeeping.close)
        self._writer = Writer(self._database, self._housekeeping.consider)
        self._loader = Loader(self._database, self._keeper, self._new_live)
        self._housekeeping.keep_true(self._loader)
        if self._vectors is not None:
            self._housekeeping.keep_tables(self._vectors)

    def _follower(self, opened: ExitStack) -> Follower:
        follower = Follower(
            self._database,
            self._registry,
            self._loader,
            consider=self._housekeeping.consider,
            led=self._led,
        )
        opened.callback(follower.close)
        return follower

    def _answer_calls(self) -> None:
        """Make the parts that calls come to."""
        database, registry, housekeeping = self._database, self._registry, self._housekeeping
        self.models = CollectionModels(
            self._store, self._embedding, registry, housekeeping.consider
        )
        self.collections = Collections(
            database, registry, self._loader, self.models, self.role, housekeeping, self.device
        )
        self.items = Items(database, self.collections, self.models, housekeeping.room)
        self.searches = Searches(self.collections, self.models, self.role, self._config.limits)

    def load(self, watch: Callable[[LoadProgress], None] = lambda _: None) -> None:
        """Load every collection that is sound; one that is damaged is named and set aside.

        Once, before anything else is asked. `watch` is told how far it is, now and then; what it
        raises ends this.
        """
        for live in self._loader.loaded(self._registry.set_aside, watch):
            self._registry.add(live)
            self._housekeeping.consider(live)
        if self._database.takes_writes:
            self._keeper.forget_all_but(self._registry.listed())
            self._housekeeping.sweep()
        self.role.start()

    @property
    def vectors_place(self) -> str:
        """Where the vectors are, for people, empty if they are here."""
        return "" if self._vectors is None else self._vectors.place

    def samples(self) -> Iterator[Sample]:
        """Yield sizes, queues and how far collections are, for who watches."""
        yield from samples(self._registry, self._embedding)
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

    def _clear_away(self) -> None:
        """Remove what was never written in full, and have all models: nobody else writes any."""
        self._store.take_in()
        if self._database.owns_folder:
            self._store.clear_away()
            self._keeper.clear_away()

    def _led(self) -> None:
        """Take up what only the process that leads does."""
        self._clear_away()
        self._housekeeping.lead()

    def _new_live(self, collection: Collection) -> LiveCollection:
        return LiveCollection(collection, partial(self._new_index, collection), self._writer.write)

    def _new_index(self, collection: Collection, generation: Generation) -> VectorIndex:
        kind, length, choice = collection.kind, generation.length, collection.index_choice
        if self._vectors is not None:
            return self._vectors.index(collection.uuid, generation.id, kind, length, choice)
        return new_index(kind, length, self.device, self._config.ivf, choice)
