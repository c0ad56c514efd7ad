import sqlite3
import threading

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert, select, text

from cipherlens.server.errors import (
    DataDamaged,
    StartupError,
    Stopping,
    StorageFull,
    StorageUnavailable,
)
from cipherlens.server.storage import open_database
from cipherlens.server.storage.database import file_errors

only_sqlite = pytest.mark.parametrize("dialect", ["sqlite"])
numbers = Table("numbers", MetaData(), Column("version", Integer, primary_key=True))


@pytest.fixture
def database(database, dialect):  # before 9 pytest sees a `dialect` that is chosen here alone
    """Return the database with a table of numbers, 1 in it."""
    with database._writing() as connection:
        numbers.create(connection)
        add(connection, 1)
    return database


def rows(database):
    with database._reading() as connection:
        return connection.scalars(select(numbers.c.version)).all()


def add(connection, version):
    connection.execute(insert(numbers).values(version=version))


def test_what_was_committed_is_there_after_reopening(tmp_path, address):
    database = open_database(tmp_path / "data", address)
    with database._writing() as connection:
        connection.execute(text("CREATE TABLE more (x INTEGER)"))
        connection.execute(text("INSERT INTO more VALUES (7)"))
    database.close()
    database = open_database(tmp_path / "data", address)
    with database._reading() as connection:
        assert connection.scalars(text("SELECT x FROM more")).all() == [7]
    database.close()


def test_a_failing_block_changes_nothing(database):
    def fail():
        with database._writing() as connection:
            add(connection, 99)
            raise KeyError("in the middle")

    with pytest.raises(KeyError):
        fail()
    assert rows(database) == [1]


@only_sqlite
def test_every_connection_is_durable(database):
    for _ in range(3):
        with database._writing() as connection:
            pragmas = ("journal_mode", "synchronous", "foreign_keys")
            found = [connection.exec_driver_sql(f"PRAGMA {each}").scalar() for each in pragmas]
            assert found == ["wal", 2, 1]


def test_a_reader_sees_one_state(database):
    with database._reading() as reader:
        before = reader.scalars(select(numbers.c.version)).all()
        with database._writing() as writer:
            add(writer, 99)
        assert reader.scalars(select(numbers.c.version)).all() == before
    assert rows(database) == [1, 99]


def test_writers_come_one_at_a_time(database):
    def write(first):
        for version in range(first, first + 20):
            with database._writing() as connection:
                add(connection, version)

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(rows(database)) == 81


def test_a_second_server_on_the_folder_is_refused_until_the_first_closes(tmp_path, address):
    first = open_database(tmp_path, address)
    with pytest.raises(StartupError, match=r"another server .* data folder"):
        open_database(tmp_path, address)
    first.close()
    open_database(tmp_path, address).close()


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / "cipherlens.sqlite3").write_bytes(b"not a database, not at all" * 100)
    for _ in range(2):
        with pytest.raises(StartupError, match="cannot be used"):
            open_database(tmp_path)


def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StartupError, match="file"):
        open_database(tmp_path / "file")


def test_only_the_owner_can_read_what_is_stored(tmp_path):
    database = open_database(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "data" / "cipherlens.sqlite3").stat().st_mode & 0o077 == 0
    database.close()


def test_a_closed_database_takes_nothing(tmp_path, address):
    database = open_database(tmp_path, address)
    database.close()
    database.close()
    for way in (database.read, database.write):
        with pytest.raises(Stopping), way():
            pass


def full(database):
    with database._writing() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.execute(text("CREATE TABLE large AS SELECT zeroblob(100000) AS data"))


@only_sqlite
def test_a_full_disk_is_told_and_nothing_is_kept(database):
    with pytest.raises(StorageFull):
        full(database)
    with database._writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
        add(connection, 99)
    assert rows(database) == [1, 99]


@only_sqlite
def test_a_database_that_somebody_else_holds_is_unavailable(database, tmp_path, monkeypatch):
    other = sqlite3.connect(tmp_path / "data" / "cipherlens.sqlite3", isolation_level=None)
    with database._writing() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailable), database._writing() as connection:
        add(connection, 99)
    other.close()
    assert rows(database) == [1]


@only_sqlite
def test_a_damaged_file_is_data_loss_and_not_a_mistake_of_ours(database):
    damaged = sqlite3.DatabaseError("database disk image is malformed")
    damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    with pytest.raises(DataDamaged), database.read():
        raise damaged


def test_our_own_mistakes_are_not_dressed_up(database):
    with (
        pytest.raises(Exception, match=r"no such table|does not exist") as caught,
        database._reading() as connection,
    ):
        connection.execute(text("SELECT * FROM nowhere"))
    assert not isinstance(caught.value, StorageUnavailable)


def test_failures_to_write_a_file():
    with pytest.raises(StorageFull), file_errors():
        raise OSError(28, "No space left on device")
    with pytest.raises(StorageUnavailable, match="Read-only"), file_errors():
        raise OSError(30, "Read-only file system")
