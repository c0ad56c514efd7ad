"""Rows of the models that the server holds."""

import logging
import time
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select

from cipherlens.server.errors import ModelInUse, NotFound
from cipherlens.server.storage.checksum import agrees, checksum
from cipherlens.server.storage.records import ModelRecord
from cipherlens.server.storage.schema import collections, generations, models

_log = logging.getLogger(__name__)

_BY_DIGEST = select(models).where(models.c.digest == bindparam("digest"))
_NEWEST_FIRST = select(models).order_by(models.c.created_at_us.desc())
_REMOVE = delete(models).where(models.c.digest == bindparam("digest"))
_IN_USE = (
    select(collections.c.name)
    .join_from(
        generations,
        collections,
        generations.c.id.in_([collections.c.active_generation, collections.c.shadow_generation]),
    )
    .where(generations.c.model_digest == bindparam("digest"))
    .limit(1)
)


class Models:
    """The rows of models within one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, *, digest: bytes, name: str, size_bytes: int, configuration: str) -> ModelRecord:
        """Insert a model and return its record; one that is here whole keeps its first name."""
        row = self._connection.execute(_BY_DIGEST, {"digest": digest}).one_or_none()
        if row is not None and _is_whole(row):
            return _record(row)
        values = (digest, name, size_bytes, configuration, time.time_ns() // 1000)
        self._connection.execute(_REMOVE, {"digest": digest})
        self._connection.execute(insert(models).values((*values, checksum(*values))))
        return _record(self._connection.execute(_BY_DIGEST, {"digest": digest}).one())

    def remove(self, digest: bytes) -> None:
        """Delete a model's row. Raises NotFound; ModelInUse naming a collection that needs it."""
        user = self._connection.scalar(_IN_USE, {"digest": digest})
        if user is not None:
            raise ModelInUse(
                f"model {digest.hex()} serves collection {user!r}, or is about to; "
                "push another one there, or drop it, first",
                {"collection": str(user)},
            )
        if not self._connection.execute(_REMOVE, {"digest": digest}).rowcount:
            raise NotFound("model", digest.hex())

    def digests(self) -> set[bytes] | None:
        """Return the digests of all models, None if one of the rows is damaged."""
        rows = self._connection.execute(_NEWEST_FIRST).all()
        return {row.digest for row in rows} if all(map(_is_whole, rows)) else None

    def listed(self) -> list[ModelRecord]:
        """Return all models, newest first; one whose row is damaged is logged and set aside."""
        rows = self._connection.execute(_NEWEST_FIRST).all()
        for row in rows:
            if not _is_whole(row):
                _log.error("the row of a model does not agree with its checksum: %r", row.digest)
        return [_record(row) for row in rows if _is_whole(row)]


def _is_whole(row: Row[Any]) -> bool:
    values: list[Any]
    *values, stored = row
    return agrees(stored, *values)


def _record(row: Row[Any]) -> ModelRecord:
    return ModelRecord(
        digest=row.digest,
        name=row.name,
        size_bytes=row.size_bytes,
        configuration=row.configuration,
        created_at_us=row.created_at_us,
    )
