"""What a collection may want done: its index loaded, rebuilt or trained, a generation filled."""

from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.takeover import Takeover
from cipherlens.server.storage import Database


class Upkeep:
    """The steps of the background's work on a collection."""

    def __init__(self, database: Database, takeover: Takeover) -> None:
        self._database = database
        self._takeover = takeover

    def step(self, live: LiveCollection) -> None:
        """Do the most urgent thing, or a piece of it. Raises NotFound for a dropped collection."""
        live.check_there()
        serving, shadow = live.serving, live.shadow
        if live.is_behind:
            self._reload(live)
        elif shadow is not None:
            self._takeover.step(live, shadow)
        elif serving is not None and serving.wants_rebuild:
            self._rebuild(live, serving)
        elif serving is not None:
            serving.train()

    def _reload(self, live: LiveCollection) -> None:
        with live.writing, self._database.read() as transaction:
            live.check_there()
            live.reload_if_behind(lambda generation: live.load(transaction, generation))

    def _rebuild(self, live: LiveCollection, serving: ItemIndex) -> None:
        """Make the index anew without its dead rows."""
        with self._database.read() as transaction:
            fresh = live.load(transaction, serving.generation)
        fresh.train()
        with live.writing:
            live.check_there()
            if live.serving is not serving:
                return  # it has been replaced meanwhile
            with self._database.read() as transaction:
                live.catch_up(transaction, fresh)
            live.adopt(fresh)
