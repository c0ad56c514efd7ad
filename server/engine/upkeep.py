"""What a collection may want: its index loaded, rid of dead rows, trained, kept; a model's turn."""

from dataclasses import dataclass

from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.engine.keeping import IndexKeeper
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.takeover import Takeover
from cipherlens.server.storage import Database


@dataclass(frozen=True, slots=True)
class CollectionChore:
    """What a collection wants, as a `Chore`."""

    live: LiveCollection
    upkeep: "Upkeep"

    @property
    def name(self) -> str:
        """What it is, for the log."""
        return f"collection {self.live.collection.name!r}"

    @property
    def wants_work(self) -> bool:
        """Whether a piece is left to do."""
        return self.live.wants_work

    def do_some(self) -> None:
        """Do the most urgent piece."""
        self.upkeep.step(self.live)


class Upkeep:
    """The steps of the background's work on a collection."""

    def __init__(self, database: Database, takeover: Takeover, keeper: IndexKeeper) -> None:
        self._database = database
        self._takeover = takeover
        self._keeper = keeper

    def step(self, live: LiveCollection) -> None:
        """Do the most urgent thing, or a piece of it. Raises NotFound for a dropped collection."""
        live.check_there()
        serving, shadow = live.serving, live.shadow
        if live.is_behind:
            self._reload(live)
        elif shadow is not None:
            self._takeover.step(live, shadow)
        elif serving is not None and serving.wants_rebuild:
            self._compact(live, serving)
        elif serving is not None and serving.vectors.wants_training:
            serving.train()
        elif serving is not None and serving.wants_keeping:
            self._keeper.keep(live)

    def _reload(self, live: LiveCollection) -> None:
        with live.writing, self._database.read() as transaction:
            live.check_there()
            live.reload_if_behind(transaction)

    def _compact(self, live: LiveCollection, serving: ItemIndex) -> None:
        """Leave the dead rows out of the index; what was trained stays.

        Only the changes of meanwhile are read from the database.
        """
        with live.writing:
            live.check_there()
            if live.is_behind or live.serving is not serving:
                return
            moment = serving.moment()
        fresh = serving.without_dead(moment, live.empty(serving.generation))
        fresh.train()
        with live.writing:
            live.check_there()
            if live.serving is not serving:
                return  # it has been replaced meanwhile
            with self._database.read() as transaction:
                live.catch_up(transaction, fresh)
            live.adopt(fresh)
