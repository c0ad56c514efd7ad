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
        return self.upkeep.is_wanted(self.live)

    def do_some(self) -> None:
        """Do the most urgent piece."""
        self.upkeep.step(self.live)


class Upkeep:
    """The steps of the background's work on a collection.

    Whoever leads lets models take over. Who owns the data folder trains, and keeps indexes there;
    others that follow in the same folder take what was trained from there, so that all give the
    same answers, and one file is in memory once.
    """

    def __init__(
        self, database: Database, takeover: Takeover, keeper: IndexKeeper, *, shares: bool
    ) -> None:
        """Take whether other processes follow, which want what is trained here at once."""
        self._database = database
        self._takeover = takeover
        self._keeper = keeper
        self._shares = shares

    def is_wanted(self, live: LiveCollection) -> bool:
        """Return whether a collection wants anything that is this process's to do."""
        serving = live.serving
        if live.is_behind or (live.shadow is not None and self._database.takes_writes):
            return True
        if serving is None:
            return False
        return (
            serving.vectors.lacks_rows
            or serving.wants_rebuild
            or (serving.vectors.wants_training and self._can_train(live))
            or (serving.wants_keeping and self._database.owns_folder)
        )

    def step(self, live: LiveCollection) -> None:
        """Do the most urgent thing, or a piece of it. Raises NotFound for a dropped collection."""
        live.check_there()
        serving, shadow = live.serving, live.shadow
        if live.is_behind:
            self._reload(live)
        elif serving is not None and serving.vectors.lacks_rows:
            self._fill(live, serving)
        elif shadow is not None and self._database.takes_writes:
            self._takeover.step(live, shadow)
        elif serving is not None and serving.wants_rebuild:
            self._compact(live, serving)
        elif serving is not None and serving.vectors.wants_training:
            self._train(live, serving)
        elif serving is not None and serving.wants_keeping:
            self._keeper.keep(live)

    def _can_train(self, live: LiveCollection) -> bool:
        return self._database.owns_folder or self._keeper.has_another(live)

    def _train(self, live: LiveCollection, serving: ItemIndex) -> None:
        if not self._database.owns_folder:
            self._take_trained(live)
            return
        serving.train()
        if self._shares:
            self._keeper.keep(live)

    def _take_trained(self, live: LiveCollection) -> None:
        """Answer with the index that another process has kept, brought up to what there is."""
        with self._database.read() as transaction:
            state = transaction.collections.state(live.collection)
            serving = live.serving
            if serving is None or state.active_generation != serving.generation.id:
                return
            kept = self._keeper.restored(live, state, serving.generation)
        if kept is None or kept.vectors.wants_training:
            return
        with live.writing, self._database.read() as transaction:
            live.check_there()
            if live.serving is serving:
                live.catch_up(transaction, kept)
                live.adopt(kept)

    def _reload(self, live: LiveCollection) -> None:
        with live.writing, self._database.read() as transaction:
            live.check_there()
            live.reload_if_behind(transaction)

    def _fill(self, live: LiveCollection, serving: ItemIndex) -> None:
        """Make the index from the database again, aside: what is written meanwhile goes on."""
        with self._database.read() as transaction:
            fresh = live.load(transaction, serving.generation)
        fresh.train()
        self._replace(live, serving, fresh)

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
        self._replace(live, serving, fresh)

    def _replace(self, live: LiveCollection, serving: ItemIndex, fresh: ItemIndex) -> None:
        """Answer with a fresh index, once it has the changes of meanwhile."""
        with live.writing:
            live.check_there()
            if live.serving is not serving:
                return  # it has been replaced meanwhile
            with self._database.read() as transaction:
                live.catch_up(transaction, fresh)
            live.adopt(fresh)
