"""What is done beside the calls: collections looked after, what is left over removed."""

from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding import EmbeddingModels
from cipherlens.server.engine.background import Background
from cipherlens.server.engine.keeping import IndexKeeper
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.loading import Loader
from cipherlens.server.engine.refreshing import Refresher
from cipherlens.server.engine.registry import Registry
from cipherlens.server.engine.room import Room
from cipherlens.server.engine.sweeping import Sweeper
from cipherlens.server.engine.takeover import Takeover
from cipherlens.server.engine.upkeep import CollectionChore, Upkeep
from cipherlens.server.engine.vector_tables import Finder, TableSweeper
from cipherlens.server.storage import Database
from cipherlens.server.vectors import VectorTables


class Housekeeping:
    """The chores of a data folder, on a thread of their own.

    room: does writes where the disk may be full.
    """

    def __init__(
        self,
        database: Database,
        registry: Registry,
        keeper: IndexKeeper,
        embedding: EmbeddingModels,
        config: ServerConfig,
        *,
        shares: bool,
    ) -> None:
        """Start the thread. `shares` tells whether others follow, which want what is trained."""
        self._database = database
        self._registry = registry
        self._keeper = keeper
        self._embedding = embedding
        self._background = background = Background()
        takeover = Takeover(
            database,
            embedding,
            taken_over=self.sweep,
            is_closing=lambda: background.closed,
        )
        self._upkeep = Upkeep(database, takeover, keeper, shares=shares)
        self._sweeper = Sweeper(
            database, registry, background, keep_tombstones_s=config.keep_tombstones_s
        )
        self._table_sweeper: TableSweeper | None = None
        self.room = Room(database, self._sweeper.begin)

    def keep_tables(self, vectors: VectorTables) -> None:
        """Look after an engine of vectors from now on: find it again, remove tables from it."""
        Finder(vectors, self._registry, self._background, self.consider)
        self._table_sweeper = TableSweeper(vectors, self._registry, self._background)

    def keep_true(self, loader: Loader) -> None:
        """Look at the database whenever nobody has heard the outcome of a commit."""
        refresher = Refresher(
            self._database, self._registry, self._background, loader, self.consider
        )
        self._database.when_unknown(refresher.begin)

    def consider(self, live: LiveCollection) -> None:
        """Do soon what a collection wants, if it wants anything."""
        if self._upkeep.is_wanted(live):
            self._background.consider(CollectionChore(live, self._upkeep))

    def sweep(self) -> None:
        """Look soon for what is left over, here and in the engine of the vectors."""
        self._sweeper.begin()
        if self._table_sweeper is not None:
            self._table_sweeper.begin()

    def forget(self, live: LiveCollection | None) -> None:
        """Remove what a dropped collection leaves; None stands for one that was damaged."""
        if live is not None:
            self._keeper.forget(live)
        self._embedding.release()
        self.sweep()

    def lead(self) -> None:
        """Take up, for all collections, what only the process that leads does."""
        listed = self._registry.listed()
        self._keeper.forget_all_but(listed)
        for live in listed:
            self.consider(live)
        self._sweeper.begin()

    def close(self) -> None:
        """End after the step under way, and keep the indexes for the next start."""
        self._background.close()
        self._keeper.keep_all(self._registry.listed())
