"""Removing what nothing refers to any more, in pieces, so that no write waits long for it."""

import time
from collections.abc import Iterator

from sqlalchemy import Connection, Delete, Table, bindparam, delete, func, insert, select

from cipherlens.server.storage.collections import DROPPED, Collections
from cipherlens.server.storage.records import CollectionState
from cipherlens.server.storage.schema import (
    ciphertexts,
    collections,
    generations,
    items,
    purge_marks,
    representations,
)


def _some_of(table: Table, owner: str) -> Delete:
    """Return what deletes so many rows of an owner, a collection or generation."""
    key = table.c.item_id
    ids = select(key).where(table.c[owner] == bindparam("owner")).limit(bindparam("at_most"))
    return delete(table).where(table.c[owner] == bindparam("owner"), key.in_(ids))


_REPRESENTATIONS = _some_of(representations, "generation")
_ITEMS = _some_of(items, "collection")
_CIPHERTEXTS = _some_of(ciphertexts, "collection")
_GENERATION = delete(generations).where(generations.c.id == bindparam("owner"))
_MARKS = delete(purge_marks).where(purge_marks.c.collection == bindparam("owner"))
_COLLECTION = delete(collections).where(collections.c.id == bindparam("owner"))
_GENERATIONS_OF = select(generations.c.id).where(generations.c.collection == bindparam("owner"))
_DROPPED = select(collections.c.id).where(collections.c.name.startswith(DROPPED))

_LATEST = select(func.max(items.c.sequence)).where(
    items.c.collection == bindparam("owner"), items.c.deleted
)
_NOTED = select(func.max(purge_marks.c.sequence)).where(
    purge_marks.c.collection == bindparam("owner")
)
_DUE = select(func.max(purge_marks.c.sequence)).where(
    purge_marks.c.collection == bindparam("owner"),
    purge_marks.c.noted_at_us <= bindparam("before_us"),
)
_OLD_TOMBSTONES = delete(items).where(
    items.c.collection == bindparam("owner"),
    items.c.sequence.in_(
        select(items.c.sequence)
        .where(
            items.c.collection == bindparam("owner"),
            items.c.deleted,
            items.c.sequence <= bindparam("until"),
        )
        .order_by(items.c.sequence)
        .limit(bindparam("at_most"))
    ),
)
_MARKS_UNTIL = delete(purge_marks).where(
    purge_marks.c.collection == bindparam("owner"), purge_marks.c.sequence <= bindparam("until")
)


class Removal:
    """What is left over, within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._collections = Collections(connection)

    def is_wanted(self, state: CollectionState, before_us: int) -> bool:
        """Return whether `replaced`, `tombstones` or `note_deletions` has anything to do."""
        number = state.collection.id
        kept = {state.active_generation, state.shadow_generation}
        due = {"owner": number, "before_us": before_us}
        return (
            not kept.issuperset(self._generations(number))
            or self._connection.scalar(_DUE, due) is not None
            or self._unnoted(number)
        )

    def is_any_dropped(self) -> bool:
        """Return whether `dropped` has anything to do."""
        return self._connection.scalar(_DROPPED) is not None

    def dropped(self, at_most: int) -> int:
        """Remove so many rows of collections that were dropped; return how many were found."""
        for number in self._connection.scalars(_DROPPED).all():
            for generation in self._generations(number):
                if found := self._of_generation(generation, at_most):
                    return found
            for statement in (_CIPHERTEXTS, _ITEMS):
                if found := self._run(statement, number, at_most=at_most):
                    return found
            self._run(_MARKS, number)
            return self._run(_COLLECTION, number)
        return 0

    def replaced(self, state: CollectionState, at_most: int) -> int:
        """Remove so many rows of generations that neither serve nor are filled."""
        kept = (state.active_generation, state.shadow_generation)
        for number in self._generations(state.collection.id):
            if number not in kept:
                return self._of_generation(number, at_most)
        return 0

    def note_deletions(self, state: CollectionState) -> None:
        """Note when the deletions came that nothing was noted of yet, if there are any."""
        if self._unnoted(state.collection.id):
            row = (state.collection.id, state.sequence, time.time_ns() // 1000)
            self._connection.execute(insert(purge_marks).values(row))

    def tombstones(self, state: CollectionState, *, before_us: int, at_most: int) -> int:
        """Purge so many tombstones of deletions noted before a time; return how many were found.

        Whoever follows the changes from before them must begin anew, as the horizon says.
        """
        number = state.collection.id
        due = {"owner": number, "before_us": before_us}
        until = self._connection.scalar(_DUE, due)
        if until is None:
            return 0
        if until > state.purge_horizon:
            self._collections.set_purge_horizon(state.collection, until)
        found = self._run(_OLD_TOMBSTONES, number, until=until, at_most=at_most)
        if found < at_most:
            self._run(_MARKS_UNTIL, number, until=until)
        return found

    def _unnoted(self, collection: int) -> bool:
        owner = {"owner": collection}
        latest = self._connection.scalar(_LATEST, owner)
        return latest is not None and latest > (self._connection.scalar(_NOTED, owner) or 0)

    def _of_generation(self, number: int, at_most: int) -> int:
        found = self._run(_REPRESENTATIONS, number, at_most=at_most)
        return found or self._run(_GENERATION, number)

    def _generations(self, collection: int) -> Iterator[int]:
        yield from self._connection.scalars(_GENERATIONS_OF, {"owner": collection}).all()

    def _run(self, statement: Delete, owner: int, **parameters: int) -> int:
        return self._connection.execute(statement, {"owner": owner, **parameters}).rowcount
