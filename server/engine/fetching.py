"""Items as they are stored, read a bounded number of bytes at a time."""

import logging
from collections.abc import Iterator, Mapping, Sequence

from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.errors import DataDamaged
from cipherlens.server.observing import Stage, timed
from cipherlens.server.storage import Database
from cipherlens.server.storage.records import Damaged, StoredItem

_log = logging.getLogger(__name__)

MOST_ITEMS = 64
"""Items that are looked for at a time."""

# Few enough that calls which fetch the largest items side by side take no more than their answers.
_READ_BYTES = 8 * 2**20


class Fetcher:
    """Reads items of collections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fetch(
        self, live: LiveCollection, ids: Sequence[str]
    ) -> Iterator[tuple[str, StoredItem | Damaged | None]]:
        """Yield what is stored under each id, in their order; None where nothing is.

        What is read at a time has _READ_BYTES at most, or is one item. Where the file itself is
        damaged, those that it cannot give count as damaged.
        """
        for group in _groups(ids, self._sizes(live, ids)):
            found = self._found(live, group)
            for item_id in group:
                yield item_id, found.get(item_id)

    def _sizes(self, live: LiveCollection, ids: Sequence[str]) -> Mapping[str, int]:
        """Return how many bytes of ciphertext there are of each; too many where that is unknown."""
        if len(ids) == 1:
            return {}
        try:
            with self._database.read() as transaction:
                return transaction.items.sizes(live.collection, ids)
        except DataDamaged:
            return dict.fromkeys(ids, _READ_BYTES)

    def _found(self, live: LiveCollection, ids: Sequence[str]) -> dict[str, StoredItem | Damaged]:
        try:
            return self._read(live, ids)
        except DataDamaged as error:
            _log.error("collection %r: %s", live.collection.name, error)
        found: dict[str, StoredItem | Damaged] = {}
        for each in ids:
            try:
                found |= self._read(live, [each])
            except DataDamaged:
                found[each] = Damaged(item_id=each, sequence=0, what="page")
        return found

    def _read(self, live: LiveCollection, ids: Sequence[str]) -> dict[str, StoredItem | Damaged]:
        with timed(Stage.FETCH), self._database.read() as transaction:
            state = transaction.collections.state(live.collection)
            return transaction.items.fetched(state, ids)


def _groups(ids: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Yield the ids in groups of which each is of _READ_BYTES at most, or one item."""
    group: list[str] = []
    total = 0
    for each in ids:
        size = sizes.get(each, 0)
        if group and total + size > _READ_BYTES:
            yield group
            group, total = [], 0
        group.append(each)
        total += size
    if group:
        yield group
