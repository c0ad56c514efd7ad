"""The tables of a data folder in an engine, one for each generation of each collection."""

import re
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from cipherlens.base import IndexChoice, Kind, make_folder, replace_file
from cipherlens.server.errors import StartupError, VectorsUnavailable
from cipherlens.server.vectors.link import Link
from cipherlens.server.vectors.remote import RemoteIndex
from cipherlens.server.vectors.store import Shape, VectorStore

_FILE = "VECTORS"


class VectorTables:
    """An engine, as one server uses it: what is named after its data folder is its own."""

    def __init__(self, store: VectorStore, data_dir: Path) -> None:
        """Connect. Raises StartupError if the engine does not answer."""
        self._store = store
        self.link = Link(store.place)
        self._prefix = _named(data_dir)
        try:
            store.check()
        except VectorsUnavailable as error:
            raise StartupError(f"vectors: {store.place} cannot be used: {error.detail}") from None

    @property
    def place(self) -> str:
        """Where the engine is, for people."""
        return self._store.place

    def index(
        self, collection: str, generation: int, kind: Kind, length: int, choice: IndexChoice
    ) -> RemoteIndex:
        """Return an empty index over the table of a generation of the collection of that UUID."""
        shape = Shape(self._name(collection, generation), kind, length, choice)
        return RemoteIndex(self._store, self.link, shape)

    def drop_all_but(self, served: Iterable[tuple[str, int]]) -> None:
        """Remove the tables of all other generations. Raises VectorsUnavailable.

        What is served is asked for last: a table that is made meanwhile is not looked at.
        """
        with self.link.asking():
            names = self._store.names(self._prefix)
            for name in set(names) - {self._name(*each) for each in served}:
                self._store.drop(name)

    def look(self) -> bool:
        """Ask whether the engine answers, and return it."""
        try:
            self._store.check()
        except (VectorsUnavailable, StartupError):
            return False
        self.link.found()
        return True

    def close(self) -> None:
        """Close all connections."""
        self._store.close()

    def _name(self, collection: str, generation: int) -> str:
        return f"{self._prefix}{collection.replace('-', '')}_{generation}"


def table_prefix(data_dir: Path) -> str | None:
    """Return what tells the tables of a data folder from those of others in the same engine.

    None if the folder has none yet. Raises StartupError.
    """
    path = data_dir / _FILE
    try:
        name = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    if not re.fullmatch("[0-9a-f]{12}", name):
        raise StartupError(f"{path} has no name of 12 hexadecimal digits")
    return f"cl_{name}_"


def _named(data_dir: Path) -> str:
    """Return the prefix of a data folder, which gets one. Raises StartupError."""
    make_folder(data_dir, 0o700)
    if (prefix := table_prefix(data_dir)) is not None:
        return prefix
    name = uuid4().hex[:12]
    replace_file(data_dir / _FILE, f"{name}\n".encode())
    return f"cl_{name}_"
