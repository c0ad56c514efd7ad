"""Collections as they are loaded: at a start one after the other, and when one is made."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from cipherlens.server.engine.item_index import ItemIndex, unwatched
from cipherlens.server.engine.keeping import IndexKeeper
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.errors import DataDamaged
from cipherlens.server.storage import Database, Transaction
from cipherlens.server.storage.records import Collection, CollectionState

_log = logging.getLogger(__name__)


class LoadProgress(NamedTuple):
    """How far loading is: at the place-th collection of all, and so many changes into it."""

    collection: str
    place: int
    collections: int
    changes: int


class Loader:
    """Brings collections from the database, and their indexes from files where those fit."""

    def __init__(
        self,
        database: Database,
        keeper: IndexKeeper,
        new_live: Callable[[Collection], LiveCollection],
    ) -> None:
        """`new_live` makes a collection that has no index yet."""
        self._database = database
        self._keeper = keeper
        self._new_live = new_live

    def loaded(
        self, set_aside: Callable[[str, str], None], watch: Callable[[LoadProgress], None]
    ) -> Iterator[LiveCollection]:
        """Yield every collection that is sound; of a damaged one `set_aside` is told name and why.

        `watch` is told how far it is, now and then; what it raises ends this.
        """
        with self._database.read() as transaction:
            rows = transaction.collections.listed()
        for place, (number, name) in enumerate(rows, start=1):
            told = partial(_tell, watch, LoadProgress(name, place, len(rows), 0))
            told(0)
            live = self.found(number, name, set_aside, told)
            if live is not None:
                yield live

    def found(
        self,
        number: int,
        name: str,
        set_aside: Callable[[str, str], None],
        watch: Callable[[int], None] = unwatched,
    ) -> LiveCollection | None:
        """Return the collection in a row; None if it is damaged, of which `set_aside` is told."""
        try:
            with self._database.read() as transaction:
                state = transaction.collections.numbered(number, name)
                return self.load(transaction, state, watch)
        except DataDamaged as error:
            _log.error("collection %r is set aside: %s", name, error)
            set_aside(name, str(error))
            return None

    def load(
        self,
        transaction: Transaction,
        state: CollectionState,
        watch: Callable[[int], None] = unwatched,
    ) -> LiveCollection:
        """Return a collection ready to serve. Raises DataDamaged."""
        live = self._new_live(state.collection)
        if state.active_generation is not None:
            generation = transaction.collections.generation(state.active_generation)
            index = self._keeper.restored(live, state, generation)
            if index is None:
                index = ItemIndex(generation, live.empty(generation))
            live.catch_up(transaction, index, watch=watch)
            live.adopt(index)
        if state.shadow_generation is not None:
            try:
                live.shadow = transaction.collections.generation(state.shadow_generation)
            except DataDamaged as error:
                name = state.collection.name
                _log.error("collection %r: %s: push its new model again", name, error)
        return live


def _tell(watch: Callable[[LoadProgress], None], progress: LoadProgress, changes: int) -> None:
    watch(progress._replace(changes=changes))
