"""The engine of the vectors, looked after: found again when it was lost, rid of old tables."""

from collections.abc import Callable, Iterator

from cipherlens.server.engine.background import Background, Errand
from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.engine.registry import Registry
from cipherlens.server.vectors import VectorTables

_PAUSE_S = 1.0


class Finder(Errand):
    """Asks a lost engine every second whether it answers again."""

    name = "finding the engine of the vectors"

    def __init__(
        self,
        tables: VectorTables,
        registry: Registry,
        background: Background,
        consider: Callable[[LiveCollection], None],
    ) -> None:
        """`consider` is told of each collection when the engine is back."""
        super().__init__(background)
        self._tables = tables
        self._registry = registry
        self._consider = consider
        tables.link.when_lost(self.begin)

    def _do(self) -> None:
        """Ask once, and later again if there was no answer."""
        if self._tables.look():
            for live in self._registry.listed():
                self._consider(live)
        else:
            self._background.consider_in(self, _PAUSE_S)


class TableSweeper(Errand):
    """Removes tables of what was dropped or replaced."""

    name = "removing tables of vectors"

    def __init__(self, tables: VectorTables, registry: Registry, background: Background) -> None:
        super().__init__(background)
        self._tables = tables
        self._registry = registry

    def _do(self) -> None:
        """Remove all that no collection needs. Raises VectorsUnavailable."""
        self._tables.drop_all_but(self._needed())

    def _needed(self) -> Iterator[tuple[str, int]]:
        for live in self._registry.listed():
            serving, shadow = live.serving, live.shadow
            for each in (serving.generation if serving else None, shadow):
                if each is not None:
                    yield live.collection.uuid, each.id
