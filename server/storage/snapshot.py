"""A data folder at one moment, copied while it is served: the database, and the models it names.

A snapshot is a folder with a manifest that has the size and SHA-256 of each of its files. It is
made under another name and renamed when all of it is on disk, and so is what is restored: there is
never half of one. Indexes are made anew from the database; tokens and keyrings are no part of it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cipherlens.base import sync_folder
from cipherlens.server.errors import SnapshotError
from cipherlens.server.storage.files import copied, opened, summed
from cipherlens.server.storage.folder import SQLITE_FILE, rows_are_elsewhere
from cipherlens.server.storage.model_files import MODELS, file_name

MANIFEST = "MANIFEST.json"
_FORMAT = "cipherlens snapshot 1"
_LOCK = "LOCK"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot holds: by the path of each file within it, its size and SHA-256 in hex."""

    files: dict[str, tuple[int, str]]

    @property
    def size_bytes(self) -> int:
        """The bytes of all files together."""
        return sum(size for size, _ in self.files.values())


def create(data_dir: Path, out: Path) -> Snapshot:
    """Copy a data folder, served or not, into a new folder and return what is in it.

    Raises SnapshotError: there is no data folder, its rows are in another database, `out` exists, a
    model is damaged or was deleted meanwhile; OSError where the disk does not take it.
    """
    if rows_are_elsewhere(data_dir):
        raise SnapshotError(
            f"the rows of {data_dir} are in PostgreSQL, which copies them itself: run pg_dump; "
            "docs/postgresql.md says how they are brought back"
        )
    source = data_dir / SQLITE_FILE
    if not source.is_file():
        raise SnapshotError(f"{data_dir} is no data folder of a server: it has no {SQLITE_FILE}")
    with _made_whole(out) as part:
        files = {SQLITE_FILE: _copied_database(source, part / SQLITE_FILE)}
        for digest in _models(part / SQLITE_FILE):
            name = f"{MODELS}/{file_name(digest)}"
            files[name] = copied(data_dir / name, part / name)
            if files[name][1] != digest.hex():
                raise SnapshotError(f"model {digest.hex()} is damaged: push it again, or delete it")
        _write(part / MANIFEST, _manifest(files))
    return Snapshot(files)


def verify(folder: Path) -> Snapshot:
    """Return what a snapshot holds, if all of it is as it was written and the database is sound.

    Raises SnapshotError naming what is not.
    """
    found = _read_manifest(folder)
    for name, expected in found.files.items():
        with opened(folder / name) as file:
            _check(folder / name, expected, summed(file))
    _check_database(folder / SQLITE_FILE)
    return found


def restore(folder: Path, data_dir: Path) -> Snapshot:
    """Make a data folder of a snapshot, checked as it is copied, and return what it held.

    Raises SnapshotError: the snapshot is not whole, or the data folder is there and not empty.
    """
    found = _read_manifest(folder)
    with _made_whole(data_dir) as part:
        for name, expected in found.files.items():
            _check(folder / name, expected, copied(folder / name, part / name))
        _check_database(part / SQLITE_FILE)
    return found


def check_absent(target: Path) -> None:
    """Raise SnapshotError unless a folder can be made: it is not there, or empty."""
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise SnapshotError(f"{target} is there already")


@contextmanager
def _made_whole(target: Path) -> Iterator[Path]:
    """Give a new folder that becomes the target when the block has ended without an error.

    What an earlier one has left that was killed is cleared away. Raises SnapshotError.
    """
    check_absent(target)
    part = target.with_name(f".{target.name}.part")
    part.mkdir(mode=0o700, exist_ok=True)
    with (part / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SnapshotError(f"{target} is being made by another program") from error
        try:
            _clear(part)
            (part / MODELS).mkdir(mode=0o700)
            yield part
            for each in (part / MODELS, part):
                sync_folder(each)
            (part / _LOCK).unlink()
            part.rename(target)  # the commit point
            sync_folder(target.parent)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


def _clear(part: Path) -> None:
    for each in part.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != _LOCK:
            each.unlink()


def _copied_database(source: Path, target: Path) -> tuple[int, str]:
    """Copy the database of one moment; return size and SHA-256.

    In one step, which a reader's transaction holds together: writers go on, into their log.
    """
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE").fetchall()  # all of it in the one file
    except sqlite3.DatabaseError as error:
        raise SnapshotError(f"the database {source} cannot be copied: {error}") from error
    target.chmod(0o600)
    with target.open("rb") as file:
        os.fsync(file.fileno())
        return summed(file)


def _models(database: Path) -> list[bytes]:
    with _reading(database) as connection:
        return [digest for (digest,) in connection.execute("SELECT digest FROM models")]


def _check_database(database: Path) -> None:
    try:
        with _reading(database) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise SnapshotError(f"the database {database} is damaged: {found}")


@contextmanager
def _reading(database: Path) -> Iterator[sqlite3.Connection]:
    """Give a connection that changes nothing, nor makes files beside the database."""
    address = f"{database.absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as connection:
        yield connection


def _check(path: Path, expected: tuple[int, str], found: tuple[int, str]) -> None:
    if found != expected:
        raise SnapshotError(f"{path} is damaged: it is not what its manifest says")


def _manifest(files: dict[str, tuple[int, str]]) -> bytes:
    body = {"format": _FORMAT, "files": {name: list(each) for name, each in files.items()}}
    document = {**body, "sha256": _sum_of(body)}
    return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def _sum_of(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _read_manifest(folder: Path) -> Snapshot:
    with opened(folder / MANIFEST) as file:
        data = file.read()
    try:
        document = json.loads(data)
        sha256 = document.pop("sha256")
        files = {name: (size, sha) for name, (size, sha) in document["files"].items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SnapshotError(f"{folder / MANIFEST} is no manifest of a snapshot") from error
    if document.get("format") != _FORMAT or sha256 != _sum_of(document):
        raise SnapshotError(f"{folder / MANIFEST} is damaged, or of another version")
    for name in files:
        if name != SQLITE_FILE and Path(name).parts[:-1] != (MODELS,):
            raise SnapshotError(f"{folder / MANIFEST} names a file that is no part: {name!r}")
    return Snapshot(files)


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
