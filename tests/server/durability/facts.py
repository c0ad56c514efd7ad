"""What a server holds, as plain facts: as it tells them, and as its database has them.

A fact is a name and a value:

    ("model", digest): True
    ("collection", name): its kind, the model that serves it or soon will, and the name of its mask
    ("item", collection, item id): the item's revision
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine

from cipherlens.client import Client
from cipherlens.server.storage import schema

Facts = dict[tuple[str, ...], object]

_DATABASE = "cipherlens.sqlite3"
_COLLECTIONS = """
SELECT name, kind, model_digest, mask_id FROM collections
LEFT JOIN generations ON generations.id = COALESCE(shadow_generation, active_generation)
WHERE name NOT LIKE 'dropped:%'
"""
_ITEMS = """
SELECT name, item_id, revision FROM items JOIN collections ON collections.id = items.collection
WHERE NOT deleted AND name NOT LIKE 'dropped:%'
"""
_LEFT_OVER = """
SELECT COUNT(*) FROM collections WHERE name LIKE 'dropped:%' UNION ALL
SELECT COUNT(*) FROM generations WHERE NOT EXISTS (
    SELECT * FROM collections WHERE generations.id IN (active_generation, shadow_generation))
"""
_FILLED = "SELECT COUNT(*) FROM collections WHERE shadow_generation IS NOT NULL"


def served(client: Client) -> Facts:
    """Return what a server tells."""
    facts: Facts = {("model", each.digest.hex()): True for each in client.list_models()}
    for each in client.list_collections():
        newest = each.shadow or each.active
        model, mask = (newest.model_digest.hex(), newest.mask_id) if newest else ("", "")
        facts["collection", each.name] = (each.kind.value, model, mask)
        for item in client.list_items(each):
            facts["item", each.name, item.item_id] = item.revision
    return facts


class Stored:
    """A database, as it is without its server.

    Attributes:
        facts: what it holds.
        is_filled: whether a new model has not taken over yet.
        has_left_over: whether something that was dropped or replaced is not removed yet.
    """

    def __init__(self, query: Callable[[str], list[tuple[Any, ...]]]) -> None:
        """Take what answers a statement."""
        self.facts: Facts = {}
        for (digest,) in query("SELECT digest FROM models"):
            self.facts["model", digest.hex()] = True
        for name, kind, model, mask in query(_COLLECTIONS):
            self.facts["collection", name] = (kind, (model or b"").hex(), mask or "")
        for name, item_id, revision in query(_ITEMS):
            self.facts["item", name, item_id] = revision
        self.is_filled = query(_FILLED) != [(0,)]
        self.has_left_over = query(_LEFT_OVER) != [(0,), (0,)]


def stored_in(folder: Path) -> Stored:
    """Return what SQLite has on the disk, looked at in a copy.

    Raises AssertionError if SQLite finds it damaged.
    """
    with tempfile.TemporaryDirectory() as copy:
        for each in folder.glob(f"{_DATABASE}*"):
            if not each.name.endswith("-shm"):
                shutil.copy(each, copy)
        with closing(sqlite3.connect(f"{copy}/{_DATABASE}")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            if not connection.execute("SELECT * FROM sqlite_master").fetchall():
                # All is lost: who expects anything finds that out.
                schema.metadata.create_all(create_engine("sqlite://", creator=lambda: connection))
            return Stored(lambda query: connection.execute(query).fetchall())


def stored_beside(folder: Path) -> Stored:
    """Return what SQLite has at a moment, while a server uses it.

    Raises AssertionError if SQLite finds it damaged.
    """
    address = f"file:{folder / _DATABASE}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return Stored(lambda query: connection.execute(query).fetchall())


def items_of(facts: Mapping[tuple[str, ...], object], collection: str) -> dict[str, int]:
    """Return the revisions of a collection's items."""
    return {
        name[2]: revision
        for name, revision in facts.items()
        if name[:2] == ("item", collection) and isinstance(revision, int)
    }
