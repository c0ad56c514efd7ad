"""What is served, made what the database has, after a commit of which nobody heard the outcome."""

import logging
from collections.abc import Callable

from cipherlens.server.engine.background import Background, Errand
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.loading import Loader
from cipherlens.server.engine.registry import Registry
from cipherlens.server.storage import Database, Transaction

_log = logging.getLogger(__name__)


class Refresher(Errand):
    """Looks after collections that came, went, or are behind."""

    name = "refreshing"

    def __init__(
        self,
        database: Database,
        registry: Registry,
        background: Background,
        loader: Loader,
        consider: Callable[[LiveCollection], None],
    ) -> None:
        """`consider` is told of each collection that is behind."""
        super().__init__(background)
        self._database = database
        self._registry = registry
        self._loader = loader
        self._consider = consider

    def _do(self) -> None:
        """Look at all collections. Raises what the database raises."""
        served = self._registry.listed()
        for look in (self._take_name, self._refresh):  # at each moment a name finds something
            for live in served:
                # While it is not being dropped or renamed.
                with live.writing, self._database.read() as transaction:
                    look(live, transaction, _names(transaction).get(live.collection.id))
        with self._registry.making:
            self._add_missing()

    def _take_name(self, live: LiveCollection, transaction: Transaction, name: str | None) -> None:
        """Serve a collection under the name that it was given."""
        if name is not None and name != live.collection.name:
            self._registry.rename(live, transaction.collections.state(live.collection).collection)

    def _refresh(self, live: LiveCollection, _transaction: Transaction, name: str | None) -> None:
        if name != live.collection.name:
            live.mark_dropped()
            self._registry.remove(live)
            _log.warning("collection %r is gone", live.collection.name)
        else:
            self._consider(live)

    def _add_missing(self) -> None:
        served = {live.collection.id for live in self._registry.listed()}
        with self._database.read() as transaction:
            names = _names(transaction)
        for number, name in names.items():
            if number not in served and not self._registry.is_set_aside(name):
                live = self._loader.found(number, name, self._registry.set_aside)
                if live is not None:
                    self._registry.add(live)
                    self._consider(live)


def _names(transaction: Transaction) -> dict[int, str]:
    return dict(transaction.collections.listed())
