"""Models that the server holds: a row each, and a file named by its digest.

Where several machines share the database, their bytes are in it, and files are a cache of them.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from cipherlens.base import make_folder, replace_file, sync_folder
from cipherlens.server.call import Call
from cipherlens.server.errors import DataDamaged, OutcomeUnknown
from cipherlens.server.locks import ANY_CALL, CallLock
from cipherlens.server.storage.database import Database, Transaction, file_errors
from cipherlens.server.storage.model_pieces import PIECE_BYTES
from cipherlens.server.storage.records import ModelRecord

_log = logging.getLogger(__name__)

MODELS = "models"
"""The name of their folder within a data folder."""

_PART = ".part"
_SUFFIX = ".safetensors"


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
        """Take the folder, made if absent."""
        self._database = database
        self._folder = folder
        # Held while a file and its row come or go, so that neither is there without the other.
        self._changing = CallLock("the models")
        with file_errors():
            make_folder(folder, 0o700)

    def clear_away(self) -> None:
        """Remove what never arrived in full, and what no row speaks of; nobody adds a model now."""
        with file_errors():
            for path in self._strays():
                path.unlink(missing_ok=True)

    @contextmanager
    def incoming(self) -> Iterator[Upload]:
        """Give an empty upload; what `adding` has not taken is gone when the block has ended."""
        with file_errors():
            number, name = tempfile.mkstemp(_PART, dir=self._folder)
        path = Path(name)
        try:
            yield Upload(path, number)
        finally:
            os.close(number)
            path.unlink(missing_ok=True)

    @contextmanager
    def adding(
        self, upload: Upload, *, name: str, configuration: str, call: Call
    ) -> Iterator[tuple[Transaction, ModelRecord]]:
        """Give the transaction that keeps a model, and its record.

        It is kept when the block has ended without an error, with all that the block has written;
        else neither is. One that is here already keeps its first name. The file, or what the
        database holds of it, is on disk before the row says so.
        """
        upload.flush()
        with self._changing.held(call):
            path = self._path(upload.digest)
            was_there = path.exists()
            with file_errors():
                upload.path.replace(path)
                sync_folder(self._folder)
            if self._database.holds_models:
                self._put(upload.digest, path, call)
            try:
                with self._database.write(call) as transaction:
                    yield (
                        transaction,
                        transaction.models.add(
                            digest=upload.digest,
                            name=name,
                            size_bytes=upload.size_bytes,
                            configuration=configuration,
                        ),
                    )
            except OutcomeUnknown:
                raise  # a row may speak of the file; else it goes at the next start
            except BaseException:
                if not was_there:
                    path.unlink(missing_ok=True)
                raise

    def remove(self, digest: bytes, call: Call) -> None:
        """Forget a model. Raises NotFound; ModelInUse naming a collection that needs it.

        The row is gone before the file is: what a crash leaves of it goes at the next start.
        """
        with self._changing.held(call):
            with self._database.write(call) as transaction:
                transaction.models.remove(digest)
                if self._database.holds_models:
                    transaction.model_pieces.remove(digest)
            with file_errors():
                self._path(digest).unlink(missing_ok=True)

    def read(self, digest: bytes) -> bytes:
        """Return the checkpoint of that digest. Raises DataDamaged if it is not what it was."""
        data, reason = self._file(digest)
        if not reason:
            return data
        if self._database.holds_models:
            with self._database.read() as transaction:
                data = b"".join(transaction.model_pieces.of(digest))
            if hashlib.sha256(data).digest() == digest:
                self._cache(digest, data)
                return data
        raise DataDamaged(
            f"the file of model {digest.hex()} {reason}; push the model again to mend it"
        )

    def take_in(self) -> None:
        """Put into the database what it lacks of the models whose files are here.

        As those of a version that left them in files, or of `migrate`. For who leads.
        """
        if not self._database.holds_models:
            return
        with self._database.write() as transaction:
            digests = transaction.models.digests()
            if digests is not None:  # else a damaged row may speak of any of them
                transaction.model_pieces.remove_all_but(digests)
            there, models = transaction.model_pieces.sizes(), transaction.models.listed()
        for each in models:
            if there.get(each.digest) != each.size_bytes and not self._file(each.digest)[1]:
                self._put(each.digest, self._path(each.digest), ANY_CALL)

    def _file(self, digest: bytes) -> tuple[bytes, str]:
        """Return what is in a model's file, and what is wrong with that, empty if nothing is."""
        try:
            data = self._path(digest).read_bytes()
        except OSError as error:
            return b"", f"cannot be read ({error.strerror})"
        return data, "" if hashlib.sha256(data).digest() == digest else "is damaged"

    def _cache(self, digest: bytes, data: bytes) -> None:
        """Keep a model's bytes in its file, if that can be done: nothing depends on it."""
        try:
            replace_file(self._path(digest), data)
        except OSError as error:
            _log.warning("model %s cannot be kept in a file: %s", digest.hex(), error)

    def _put(self, digest: bytes, path: Path, call: Call) -> None:
        """Write a model's bytes into the database, a piece a transaction: others write between.

        Those that are there whole stay as they are: a push that is cut short takes nothing of them.
        """
        with self._database.read() as transaction:
            there = hashlib.sha256()
            for piece in transaction.model_pieces.of(digest):
                there.update(piece)
        if there.digest() == digest:
            return
        with path.open("rb") as file:
            for number in count():
                data = file.read(PIECE_BYTES)
                if not data:
                    return
                with self._database.write(call) as transaction:
                    transaction.model_pieces.put(digest, number, data)

    def listed(self) -> list[ModelRecord]:
        """Return all models, newest first."""
        with self._database.read() as transaction:
            return transaction.models.listed()

    def _strays(self) -> list[Path]:
        """Return files that no row speaks of: what a crash has left."""
        strays = list(self._folder.glob(f"*{_PART}"))
        with self._database.read() as transaction:
            digests = transaction.models.digests()
        if digests is not None:  # else a damaged row may speak of any of them
            kept = {self._path(each) for each in digests}
            strays += [path for path in self._folder.glob(f"*{_SUFFIX}") if path not in kept]
        return strays

    def _path(self, digest: bytes) -> Path:
        return self._folder / file_name(digest)


def file_name(digest: bytes) -> str:
    """Return the name of a model's file within their folder."""
    return f"{digest.hex()}{_SUFFIX}"
