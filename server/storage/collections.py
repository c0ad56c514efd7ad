"""Rows of collections and their generations."""

import json
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, RowMapping, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from cipherlens.base import CipherProfile, IndexChoice, Kind
from cipherlens.server.errors import AlreadyExists, DataDamaged, NotFound, StorageUnavailable
from cipherlens.server.storage.checksum import UNREADABLE, agrees, checksum, with_sequence
from cipherlens.server.storage.records import (
    Collection,
    CollectionState,
    Generation,
    Standing,
)
from cipherlens.server.storage.schema import collections, generations
from cipherlens.server.storage.statements import Statement

DROPPED = "dropped:"
"""How the name of a collection begins that was dropped and is not removed yet; no other can."""

# In the order of the digest, which the sequence is added to.
_CHECKED = (
    "uuid",
    "name",
    "kind",
    "dimension",
    "bits",
    "profile",
    "index_choice",
    "created_at_us",
    "active_generation",
    "shadow_generation",
    "purge_horizon",
)

_STATE = select(
    collections.c.id,
    collections.c.sequence,
    collections.c.checksum,
    *(collections.c[name] for name in _CHECKED),
)
_BY_NAME = _STATE.where(collections.c.name == bindparam("name"))
_NUMBER_OF = select(collections.c.id).where(collections.c.name == bindparam("name"))
_BY_NUMBER = Statement(_STATE.where(collections.c.id == bindparam("number")), ["number"])
_NAMES = (
    select(collections.c.id, collections.c.name)
    .where(collections.c.name.not_like(f"{DROPPED}%"))
    .order_by(collections.c.name)
)
_STANDINGS = select(
    collections.c.id,
    collections.c.name,
    collections.c.sequence,
    collections.c.active_generation,
    collections.c.shadow_generation,
).where(collections.c.name.not_like(f"{DROPPED}%"))
_GENERATION = select(generations).where(generations.c.id == bindparam("number"))
_UPDATE = update(collections).where(collections.c.id == bindparam("number"))
_TAKE = Statement(
    _UPDATE.where(collections.c.sequence == bindparam("known")).values(
        sequence=bindparam("last"), checksum=bindparam("stamp")
    ),
    ["last", "stamp", "number", "known"],
)
_TURN = _UPDATE.values(
    active_generation=bindparam("active"), shadow_generation=bindparam("shadow")
).returning(collections)
_NAME = _UPDATE.values(name=bindparam("new_name")).returning(collections)
_STAMP = _UPDATE.values(checksum=bindparam("stamp"))
_PURGE = _UPDATE.values(purge_horizon=bindparam("horizon")).returning(collections)
_DROP = _UPDATE.values(name=bindparam("dropped"), active_generation=None, shadow_generation=None)


class Collections:
    """The collections within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(
        self,
        *,
        name: str,
        kind: Kind,
        dimension: int,
        bits: int,
        profile: CipherProfile | None,
        index_choice: IndexChoice,
    ) -> CollectionState:
        """Insert a collection under a new UUID and return it.

        Raises AlreadyExists if the name is taken.
        """
        values = {
            "uuid": str(uuid4()),
            "name": name,
            "kind": kind.value,
            "dimension": dimension,
            "bits": bits,
            "profile": json.dumps(profile.to_dict(), sort_keys=True) if profile else "",
            "index_choice": index_choice.value,
            "created_at_us": time.time_ns() // 1000,
            "sequence": 0,
            "active_generation": None,
            "shadow_generation": None,
            "purge_horizon": 0,
        }
        row = {**values, "checksum": _checksum(values)}
        try:
            self._connection.execute(insert(collections), row)
        except IntegrityError as error:
            raise AlreadyExists("collection", name) from error
        return self.named(name)

    def named(self, name: str) -> CollectionState:
        """Return the collection of that name. Raises NotFound; DataDamaged if its row is."""
        row = self._connection.execute(_BY_NAME, {"name": name}).one_or_none()
        return _state_of(row, name)

    def state(self, collection: Collection) -> CollectionState:
        """Return the collection as it is now, never another one that took its name.

        Raises NotFound if it has been dropped; DataDamaged if its row is.
        """
        return self.numbered(collection.id, collection.name)

    def numbered(self, number: int, name: str) -> CollectionState:
        """Return the collection in the row of that number; the name is for the error.

        Raises NotFound if there is none; DataDamaged if its row is.
        """
        row = _BY_NUMBER.run(self._connection, (number,)).fetchone()
        return _state_of(row, name)

    def listed(self) -> list[tuple[int, str]]:
        """Return number and name of all collections, by name, damaged ones too."""
        return [(row.id, str(row.name)) for row in self._connection.execute(_NAMES)]

    def standings(self) -> dict[int, Standing]:
        """Return how far each collection has come, by its number; rows are not held to checksums.

        Whoever acts on it reads the row anew.
        """
        rows = self._connection.execute(_STANDINGS)
        return {number: Standing(*standing) for number, *standing in rows}

    def drop(self, name: str) -> None:
        """Make the collection, damaged or not, one that was dropped: `Removal` does the rest."""
        number = self._connection.scalar(_NUMBER_OF, {"name": name})
        self._connection.execute(_DROP, {"number": number, "dropped": f"{DROPPED}{number}"})

    def replace(self, old: Collection, new: Collection) -> Collection:
        """Drop a collection and give its name to another, which is returned under it."""
        self.drop(old.name)
        named = self._connection.execute(_NAME, {"number": new.id, "new_name": old.name}).one()
        stamp = _checksum(named._mapping)
        self._connection.execute(_STAMP, {"number": new.id, "stamp": stamp})
        return self.numbered(new.id, old.name).collection

    def take_sequences(self, state: CollectionState, count: int) -> int:
        """Advance the collection's sequence by count and return the first number taken.

        Inside the writing transaction that found the state, so that the order of sequences is the
        order of commits. Raises StorageUnavailable if another has advanced it since.
        """
        last = state.sequence + count
        row = (last, with_sequence(state.digest, last), state.collection.id, state.sequence)
        if _TAKE.run(self._connection, row).rowcount != 1:
            raise StorageUnavailable(f"collection {state.collection.name!r} is written by another")
        return state.sequence + 1

    def add_generation(
        self,
        collection: Collection,
        *,
        model_digest: bytes,
        numeric_mode: str,
        length: int,
        mask_id: str = "",
    ) -> Generation:
        """Insert a generation of the collection; it is neither active nor shadow yet."""
        fingerprint = collection.profile.key_fingerprint if collection.profile else b""
        fixed = (collection.id, model_digest, numeric_mode, fingerprint, mask_id, length)
        columns = generations.c.keys()[1:]
        row = dict(zip(columns, (*fixed, checksum(*fixed)), strict=True))
        result = self._connection.execute(insert(generations), row)
        assert result.inserted_primary_key is not None
        return self.generation(int(result.inserted_primary_key[0]))

    def generation(self, number: int) -> Generation:
        """Return the generation of that number. Raises DataDamaged if its row is, or is missing."""
        row = self._connection.execute(_GENERATION, {"number": number}).one_or_none()
        if row is None:
            raise DataDamaged(f"the row of generation {number} is not there")
        *fixed, stored = row[1:]
        if not agrees(stored, *fixed):
            raise DataDamaged(f"the row of generation {number} does not agree with its checksum")
        return Generation(
            id=row.id,
            model_digest=row.model_digest,
            numeric_mode=row.numeric_mode,
            key_fingerprint=row.key_fingerprint,
            mask_id=row.mask_id,
            length=row.length,
        )

    def set_generations(
        self, collection: Collection, *, active: int | None, shadow: int | None
    ) -> None:
        """Say which generation answers and which is filled; `Removal` removes the others."""
        self._change(_TURN, collection, active=active, shadow=shadow)

    def set_purge_horizon(self, collection: Collection, sequence: int) -> None:
        """Say that tombstones up to the sequence may be gone."""
        self._change(_PURGE, collection, horizon=sequence)

    def _change(self, statement: Any, collection: Collection, **values: int | None) -> None:
        """Change what hardly ever changes of a collection, and its checksum with it."""
        row = self._connection.execute(statement, {"number": collection.id, **values}).one()
        stamp = {"number": collection.id, "stamp": _checksum(row._mapping)}
        self._connection.execute(_STAMP, stamp)


def is_whole(values: Mapping[str, Any]) -> bool:
    """Return whether a row agrees with its checksum; one that was dropped need not."""
    if str(values["name"]).startswith(DROPPED):
        return True
    try:
        return bool(_checksum(values) == values["checksum"])
    except UNREADABLE:
        return False


def _checksum(values: Mapping[str, Any] | RowMapping) -> bytes:
    return with_sequence(_digest(*(values[name] for name in _CHECKED)), values["sequence"])


# Every write reads the row of its collection, in which hardly anything but the sequence changes.
@lru_cache(maxsize=256, typed=True)
def _digest(*checked: Any) -> bytes:
    """Return 16 bytes over all but the sequence; generations count from 1, so 0 is none."""
    return checksum(*(0 if each is None else each for each in checked))


def _state_of(row: Sequence[Any] | None, name: str) -> CollectionState:
    """Return what a row says. Raises NotFound if there is none; DataDamaged if it is."""
    if row is None:
        raise NotFound("collection", name)
    number, sequence, stored, *checked = row
    if str(checked[1]).startswith(DROPPED):
        raise NotFound("collection", name)
    try:
        is_whole = with_sequence(_digest(*checked), sequence) == stored
    except UNREADABLE:
        is_whole = False
    if not is_whole:
        raise DataDamaged(f"the row of collection {name!r} does not agree with its checksum")
    active, shadow, horizon = checked[-3:]
    return CollectionState(
        collection=_collection(number, *checked[:-3]),
        sequence=sequence,
        active_generation=active,
        shadow_generation=shadow,
        purge_horizon=horizon,
        digest=_digest(*checked),
    )


@lru_cache(maxsize=256)
def _collection(number: int, *fixed: Any) -> Collection:
    uuid, name, kind, dimension, bits, profile, index_choice, created_at_us = fixed
    return Collection(
        id=number,
        uuid=uuid,
        name=name,
        kind=Kind(kind),
        dimension=dimension,
        bits=bits,
        profile=CipherProfile.from_dict(json.loads(profile)) if profile else None,
        index_choice=IndexChoice(index_choice),
        created_at_us=created_at_us,
    )
