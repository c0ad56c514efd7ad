"""Which collections there are: those that are served, and those set aside as damaged."""

import threading

from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.errors import DataDamaged, NotFound
from cipherlens.server.locks import CallLock
from cipherlens.server.storage.records import Collection


class Registry:
    """Collections by name. Each has locks of its own; that of the names is never held in waiting.

    making: held from a collection's commit until it is served. What is there and not served while
        this is held, is not being made.
    """

    def __init__(self) -> None:
        self.making = CallLock("the list of collections")
        self._lock = threading.Lock()  # guards the two fields below
        self._live: dict[str, LiveCollection] = {}
        self._set_aside: dict[str, str] = {}

    def find(self, name: str) -> LiveCollection:
        """Return the collection of that name. Raises NotFound; DataDamaged if it is set aside."""
        live = self._live.get(name)  # one look at one dictionary, as every search takes
        if live is not None:
            return live
        with self._lock:
            problem = self._set_aside.get(name)
        if problem is not None:
            raise DataDamaged(f"collection {name!r} is set aside: {problem}", {"name": name})
        raise NotFound("collection", name)

    def listed(self) -> list[LiveCollection]:
        """Return the collections that are served, by name."""
        with self._lock:
            return [self._live[name] for name in sorted(self._live)]

    def add(self, live: LiveCollection) -> None:
        """Serve a collection from now on."""
        with self._lock:
            self._live[live.collection.name] = live

    def remove(self, live: LiveCollection) -> None:
        """Serve it no more; another one that was given its name meanwhile stays."""
        with self._lock:
            if self._live.get(live.collection.name) is live:
                del self._live[live.collection.name]

    def rename(self, new: LiveCollection, renamed: Collection) -> None:
        """Serve a collection under another name, in the place of what had that name."""
        with self._lock:
            if self._live.get(new.collection.name) is new:
                del self._live[new.collection.name]
            new.collection = renamed
            self._live[renamed.name] = new

    def set_aside(self, name: str, problem: str) -> None:
        """Answer every call to that name with the problem."""
        with self._lock:
            self._set_aside[name] = problem

    def is_set_aside(self, name: str) -> bool:
        """Return whether a damaged collection has that name."""
        with self._lock:
            return name in self._set_aside

    @property
    def set_aside_count(self) -> int:
        """How many collections are set aside."""
        with self._lock:
            return len(self._set_aside)

    def forget(self, name: str) -> None:
        """Say no more about a damaged collection that is gone."""
        with self._lock:
            self._set_aside.pop(name, None)
