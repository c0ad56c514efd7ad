"""Models that the server holds: a row each, and a file named by its digest."""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert, select

from cipherlens.base import sync_folder
from cipherlens.server.errors import DataDamaged
from cipherlens.server.storage.checksum import agrees, checksum
from cipherlens.server.storage.database import Database, file_errors
from cipherlens.server.storage.records import ModelRecord
from cipherlens.server.storage.schema import models

_log = logging.getLogger(__name__)

_PART = ".part"


class Upload:
    """A model on its way in: bytes in a file that nobody else sees."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.size_bytes = 0
        self._descriptor = descriptor
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Add bytes at the end. Raises StorageFull, StorageUnavailable."""
        with file_errors():
            left = memoryview(data)
            while left:
                left = left[os.write(self._descriptor, left) :]
        self._hash.update(data)
        self.size_bytes += len(data)

    def flush(self) -> None:
        """Put all bytes on disk. Raises StorageFull, StorageUnavailable."""
        with file_errors():
            os.fsync(self._descriptor)

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the bytes so far."""
        return self._hash.digest()


class ModelStore:
    """Checkpoint files under a folder, each as it arrived."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Take the folder, made if absent, and clear away what never arrived in full."""
        self._database = database
        self._folder = folder
        with file_errors():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for part in folder.glob(f"*{_PART}"):
                part.unlink(missing_ok=True)

    @contextmanager
    def incoming(self) -> Iterator[Upload]:
        """Give an empty upload; what `add` has not taken is gone when the block has ended."""
        with file_errors():
            number, name = tempfile.mkstemp(_PART, dir=self._folder)
        path = Path(name)
        try:
            yield Upload(path, number)
        finally:
            os.close(number)
            path.unlink(missing_ok=True)

    def add(self, upload: Upload, *, name: str, configuration: str) -> ModelRecord:
        """Keep a model and return its record; one that is here already keeps its first name.

        The file is on disk before the row says so.
        """
        upload.flush()
        with file_errors():
            upload.path.replace(self._path(upload.digest))
            sync_folder(self._folder)
        values = (upload.digest, name, upload.size_bytes, configuration, time.time_ns() // 1000)
        with self._database.write() as connection:
            row = connection.execute(_row_of(upload.digest)).one_or_none()
            if row is not None and _is_whole(row):
                return _record(row)
            connection.execute(delete(models).where(models.c.digest == upload.digest))
            connection.execute(insert(models).values((*values, checksum(*values))))
            return _record(connection.execute(_row_of(upload.digest)).one())

    def read(self, digest: bytes) -> bytes:
        """Return the checkpoint of that digest. Raises DataDamaged if it is not what it was."""
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            raise DataDamaged(
                f"the file of model {digest.hex()} cannot be read ({error.strerror}); "
                "push the model again to mend it"
            ) from error
        if hashlib.sha256(data).digest() != digest:
            raise DataDamaged(
                f"the file of model {digest.hex()} is damaged; push the model again to mend it"
            )
        return data

    def listed(self) -> list[ModelRecord]:
        """Return all models, newest first; one whose row is damaged is logged and set aside."""
        with self._database.read() as connection:
            rows = connection.execute(select(models).order_by(models.c.created_at_us.desc())).all()
        for row in rows:
            if not _is_whole(row):
                _log.error("the row of a model does not agree with its checksum: %r", row.digest)
        return [_record(row) for row in rows if _is_whole(row)]

    def _path(self, digest: bytes) -> Path:
        return self._folder / f"{digest.hex()}.safetensors"


def _row_of(digest: bytes) -> Any:
    return select(models).where(models.c.digest == digest)


def _is_whole(row: Any) -> bool:
    *values, stored = row
    return agrees(stored, *values)


def _record(row: Any) -> ModelRecord:
    return ModelRecord(
        digest=row.digest,
        name=row.name,
        size_bytes=row.size_bytes,
        configuration=row.configuration,
        created_at_us=row.created_at_us,
    )
