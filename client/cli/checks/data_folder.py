"""A server's data folder."""

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from cipherlens.client.cli.checks.finding import Finding, note, ok, privacy, problem, warning
from cipherlens.server.errors import DataDamaged
from cipherlens.server.storage.folder import SQLITE_FILE, rows_are_elsewhere
from cipherlens.server.storage.index_files import kept_files, read_kept
from cipherlens.server.storage.schema import SCHEMA_VERSION

_GIB = 2**30
_FEW_BYTES = _GIB
_FEW_PART = 0.05


def data_folder(folder: Path) -> Iterator[Finding]:
    """Yield who reaches the folder, whether there is room, and whether what is in it is sound."""
    if not folder.is_dir():
        yield note("data folder", f"{folder} is not there", "'cipherlens serve' makes it")
        return
    yield privacy("data folder", folder)
    yield _room(folder)
    yield _server(folder)
    database = folder / SQLITE_FILE
    if database.is_file():
        yield privacy("database file", database)
        yield from _database(database)
    elif rows_are_elsewhere(folder):
        yield note("database", "its rows are in PostgreSQL", "'doctor --config' looks there, too")
    yield from _index_files(folder / "indexes")


def _room(folder: Path) -> Finding:
    usage = shutil.disk_usage(folder)
    seen = f"{usage.free / _GIB:.1f} GiB of {usage.total / _GIB:.1f} GiB are free"
    if usage.free < max(_FEW_BYTES, _FEW_PART * usage.total):
        return warning("disk", seen, "make room: writes are refused where the disk is full")
    return ok("disk", seen)


def _server(folder: Path) -> Finding:
    lock = folder / "LOCK"
    if not lock.is_file():
        return ok("lock", "no server has been here")
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return ok("lock", "a server runs on the folder")
    return ok("lock", "no server runs on the folder")


def _database(database: Path) -> Iterator[Finding]:
    """Yield schema version and integrity; a server that runs is not disturbed."""
    mend = "restore a snapshot: cipherlens snapshot restore SNAPSHOT NEW-DATA-DIR"
    try:
        address = f"{database.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=10)) as connection:
            yield _schema(connection)
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        yield problem("database", f"{database} cannot be read: {error}", mend)
        return
    if found == ["ok"]:
        yield ok("database", f"sound, {database.stat().st_size:,} bytes")
    else:
        yield problem("database", f"{database} is damaged: {'; '.join(found)}", mend)


def _schema(connection: sqlite3.Connection) -> Finding:
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return note("schema", "no tables yet", "'cipherlens serve' makes them")
    if "alembic_version" not in tables:
        return note("schema", "of an earlier program", "the next start brings it up")
    (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if version != SCHEMA_VERSION:
        seen = f"version {version}, this program writes {SCHEMA_VERSION}"
        return note("schema", seen, "the next start brings it up, or says that it is too new")
    return ok("schema", f"version {version}")


def _index_files(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        return
    files, damaged = kept_files(folder), []
    for path in files:
        try:
            read_kept(path)
        except DataDamaged as error:
            damaged.append(str(error))
    if damaged:
        advice = "nothing: the next start makes them anew from the database, and takes longer"
        yield warning("index files", "; ".join(damaged), advice)
    else:
        yield ok("index files", f"{len(files)}, all whole")
