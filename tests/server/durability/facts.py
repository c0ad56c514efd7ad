"""What a server holds, as plain facts: as it tells them, and as its database has them.

A fact is a name and a value:

    ("model", digest): True
    ("collection", name): its kind, the model that serves it or soon will, and the name of its mask
    ("item", collection, item id): the item's revision
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from cipherlens.client import Client

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
    """A database as it lies on the disk, looked at in a copy.

    Attributes:
        facts: what it holds.
        is_filled: whether a new model has not taken over yet.
        has_left_over: whether something that was dropped or replaced is not removed yet.
    """

    def __init__(self, folder: Path) -> None:
        """Read it. Raises AssertionError if SQLite finds it damaged."""
        with tempfile.TemporaryDirectory() as copy:
            for each in folder.glob(f"{_DATABASE}*"):
                if not each.name.endswith("-shm"):
                    shutil.copy(each, copy)
            with closing(sqlite3.connect(f"{copy}/{_DATABASE}")) as connection:
                self._read(connection)

    def _read(self, connection: sqlite3.Connection) -> None:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        query = connection.execute
        self.facts: Facts = {}
        self.is_filled = self.has_left_over = False
        if not query("SELECT * FROM sqlite_master").fetchall():
            return  # all is lost: who expects anything finds that out
        for (digest,) in query("SELECT digest FROM models"):
            self.facts["model", digest.hex()] = True
        for name, kind, model, mask in query(_COLLECTIONS):
            self.facts["collection", name] = (kind, (model or b"").hex(), mask or "")
        for name, item_id, revision in query(_ITEMS):
            self.facts["item", name, item_id] = revision
        self.is_filled = query(_FILLED).fetchone() != (0,)
        self.has_left_over = query(_LEFT_OVER).fetchall() != [(0,), (0,)]


def items_of(facts: Mapping[tuple[str, ...], object], collection: str) -> dict[str, int]:
    """Return the revisions of a collection's items."""
    return {
        name[2]: revision
        for name, revision in facts.items()
        if name[:2] == ("item", collection) and isinstance(revision, int)
    }
