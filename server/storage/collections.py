"""Rows of collections and their generations."""

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from cipherlens.base import CipherProfile, Kind
from cipherlens.server.errors import AlreadyExists, DataDamaged, NotFound
from cipherlens.server.storage.checksum import agrees, checksum
from cipherlens.server.storage.records import Collection, Generation
from cipherlens.server.storage.schema import (
    ciphertexts,
    collections,
    generations,
    items,
    representations,
)

# In the order of the checksum.
_CHECKED = (
    "uuid",
    "name",
    "kind",
    "dimension",
    "bits",
    "profile",
    "created_at_us",
    "sequence",
    "active_generation",
    "shadow_generation",
    "purge_horizon",
)


def create(
    connection: Connection,
    *,
    name: str,
    kind: Kind,
    dimension: int,
    bits: int,
    profile: CipherProfile | None,
) -> Collection:
    """Insert a collection under a new UUID and return it.

    Raises AlreadyExists if the name is taken.
    """
    values = {
        "uuid": str(uuid.uuid4()),
        "name": name,
        "kind": kind.value,
        "dimension": dimension,
        "bits": bits,
        "profile": json.dumps(profile.to_dict(), sort_keys=True) if profile else "",
        "created_at_us": time.time_ns() // 1000,
        "sequence": 0,
        "active_generation": None,
        "shadow_generation": None,
        "purge_horizon": 0,
    }
    try:
        connection.execute(
            insert(collections).values(**values, checksum=checksum(*_checked(values)))
        )
    except IntegrityError as error:
        raise AlreadyExists("collection", name) from error
    return get(connection, name)


def get(connection: Connection, name: str) -> Collection:
    """Return the collection of that name. Raises NotFound; DataDamaged if its row is."""
    row = connection.execute(select(collections).where(collections.c.name == name)).one_or_none()
    if row is None:
        raise NotFound("collection", name)
    return _collection(row)


def current(connection: Connection, collection: Collection) -> Collection:
    """Return the collection as it is now, never another one that took its name.

    Raises NotFound if it has been dropped; DataDamaged if its row is.
    """
    return numbered(connection, collection.id, collection.name)


def numbered(connection: Connection, number: int, name: str) -> Collection:
    """Return the collection in the row of that number; the name is for the error.

    Raises NotFound if there is none; DataDamaged if its row is.
    """
    row = connection.execute(select(collections).where(collections.c.id == number)).one_or_none()
    if row is None:
        raise NotFound("collection", name)
    return _collection(row)


def listed(connection: Connection) -> list[tuple[int, str]]:
    """Return number and name of all collections, by name, damaged ones too."""
    query = select(collections.c.id, collections.c.name).order_by(collections.c.name)
    return [(row.id, str(row.name)) for row in connection.execute(query)]


def drop(connection: Connection, name: str) -> None:
    """Delete the collection's row, damaged or not, and everything that belongs to it."""
    number = connection.scalar(select(collections.c.id).where(collections.c.name == name))
    of_collection = select(generations.c.id).where(generations.c.collection == number)
    connection.execute(
        delete(representations).where(representations.c.generation.in_(of_collection))
    )
    for table in (generations, ciphertexts, items):
        connection.execute(delete(table).where(table.c.collection == number))
    connection.execute(delete(collections).where(collections.c.id == number))


def take_sequences(connection: Connection, collection: Collection, count: int) -> int:
    """Advance the collection's sequence by count and return the first number taken.

    Inside the writing transaction, so that the order of sequences is the order of commits.
    """
    advanced = _updated(connection, collection, sequence=collections.c.sequence + count)
    return int(advanced.sequence) - count + 1


def add_generation(
    connection: Connection,
    collection: Collection,
    *,
    model_digest: bytes,
    numeric_mode: str,
    dimension: int,
) -> Generation:
    """Insert a generation of the collection and return it; it is neither active nor shadow yet."""
    fingerprint = collection.profile.key_fingerprint if collection.profile else b""
    fixed = (collection.id, model_digest, numeric_mode, fingerprint, "", dimension)
    columns = generations.c.keys()[1:]
    row = dict(zip(columns, (*fixed, checksum(*fixed)), strict=True))
    result = connection.execute(insert(generations).values(row))
    assert result.inserted_primary_key is not None
    return generation(connection, int(result.inserted_primary_key[0]))


def generation(connection: Connection, generation_id: int) -> Generation:
    """Return the generation of that number. Raises DataDamaged if its row is, or is not there."""
    query = select(generations).where(generations.c.id == generation_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise DataDamaged(f"the row of generation {generation_id} is not there")
    *fixed, stored = row[1:]
    if not agrees(stored, *fixed):
        raise DataDamaged(f"the row of generation {generation_id} does not agree with its checksum")
    return Generation(
        id=row.id,
        model_digest=row.model_digest,
        numeric_mode=row.numeric_mode,
        key_fingerprint=row.key_fingerprint,
        mask_id=row.mask_id,
        dimension=row.dimension,
    )


def set_generations(
    connection: Connection, collection: Collection, *, active: int | None, shadow: int | None
) -> None:
    """Say which generation answers and which is being filled, and delete those that are neither."""
    _updated(connection, collection, active_generation=active, shadow_generation=shadow)
    kept = [number for number in (active, shadow) if number is not None]
    others = connection.scalars(
        select(generations.c.id).where(
            generations.c.collection == collection.id, generations.c.id.not_in(kept)
        )
    ).all()
    _drop_generations(connection, others)


def _drop_generations(connection: Connection, numbers: Sequence[int]) -> None:
    connection.execute(delete(representations).where(representations.c.generation.in_(numbers)))
    connection.execute(delete(generations).where(generations.c.id.in_(numbers)))


def _updated(connection: Connection, collection: Collection, **values: Any) -> Any:
    """Change the row, bring its checksum up to date, and return it."""
    of_collection = update(collections).where(collections.c.id == collection.id)
    row = connection.execute(of_collection.values(**values).returning(collections)).one()
    connection.execute(of_collection.values(checksum=checksum(*_checked(row._mapping))))
    return row


def _checked(values: Mapping[str, Any] | RowMapping) -> list[Any]:
    """Return what the checksum covers; generations count from 1, so 0 stands for none."""
    return [0 if values[name] is None else values[name] for name in _CHECKED]


def _collection(row: Any) -> Collection:
    if not agrees(row.checksum, *_checked(row._mapping)):
        raise DataDamaged(f"the row of collection {row.name!r} does not agree with its checksum")
    return Collection(
        id=row.id,
        uuid=row.uuid,
        name=row.name,
        kind=Kind(row.kind),
        dimension=row.dimension,
        bits=row.bits,
        profile=CipherProfile.from_dict(json.loads(row.profile)) if row.profile else None,
        created_at_us=row.created_at_us,
        sequence=row.sequence,
        active_generation=row.active_generation,
        shadow_generation=row.shadow_generation,
        purge_horizon=row.purge_horizon,
    )
