"""What only PostgreSQL asks for: its settings, who holds it, and connections that are lost."""

import logging
import sys
import threading

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from cipherlens.server.config import DatabaseUrl
from cipherlens.server.errors import (
    DataDamaged,
    OutcomeUnknown,
    StartupError,
    StorageFull,
    StorageUnavailable,
)
from cipherlens.server.storage import open_database, tenure
from cipherlens.server.storage.schema import SCHEMA_VERSION, metadata
from cipherlens.server.storage.snapshot import SnapshotError, create
from tests.postgres_server import PASSWORD
from tests.server.storage.conftest import make


@pytest.fixture
def dialect():
    return "postgres"


@pytest.fixture
def cut_off(line, postgres, address, tmp_path):
    """A database by a line that can be cut."""
    database = open_database(tmp_path / "data", line.url(address, postgres.folder))
    yield database
    database.close()


def names(database):
    with database.read() as transaction:
        return [name for _, name in transaction.collections.listed()]


def wait_until_set(postgres, name, value):
    """Return when new connections have that setting, as the server has read its file again."""
    found = None
    while found != (value,):
        with postgres.connect() as connection:
            found = connection.execute(f"SHOW {name}").fetchone()


def check_tables(database):
    def is_schema(name, kind, _parents):
        return kind != "table" or name not in ("tenure", "model_pieces")

    with database._reading() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_schema})
        differences = compare_metadata(context, metadata)
        found = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
    assert (differences, found) == ([], [SCHEMA_VERSION])


def test_the_tables_are_those_of_the_schema(postgres, tmp_path):
    database = open_database(tmp_path / "data", postgres.bare_database())
    check_tables(database)
    database.close()


def test_a_database_of_an_older_version_is_brought_up_and_loses_nothing(
    database, address, tmp_path
):
    make(database, "kept")
    database.close()
    with psycopg.connect(address.revealed()) as connection:
        connection.execute("ALTER TABLE items DROP COLUMN tokens, DROP COLUMN sealed_tags")
        connection.execute("UPDATE alembic_version SET version_num = '3'")
    connection.close()
    for _ in range(2):  # the second time there is nothing to do
        database = open_database(tmp_path / "data", address)
        assert names(database) == ["kept"]
        check_tables(database)
        database.close()


def test_a_newer_version_is_refused_and_the_database_given_back(database, address, tmp_path):
    with database._writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '99'"))
    database.close()
    for _ in range(2):  # the second time shows that nothing was kept
        with pytest.raises(StartupError, match="schema version 99"):
            open_database(tmp_path / "data", address)


def test_tables_of_others_stay_as_they_are(postgres, tmp_path):
    url = postgres.bare_database()
    with postgres.connect(url) as connection:
        connection.execute("CREATE TABLE theirs AS SELECT 7 AS x")
    open_database(tmp_path / "data", url).close()
    with postgres.connect(url) as connection:
        assert connection.execute("SELECT x FROM theirs").fetchall() == [(7,)]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("synchronous_commit = off", "synchronous_commit = off, it must be on"),
        ("synchronous_commit = local", "synchronous_commit = local, it must be on"),
        ("default_transaction_read_only = on", "transaction_read_only = on, it must be off"),
    ],
)
def test_a_database_that_does_not_keep_what_it_says_is_refused(
    postgres, address, tmp_path, setting, said
):
    with postgres.connect(address) as connection:
        (name,) = connection.execute("SELECT current_database()").fetchone()
        connection.execute(f"ALTER DATABASE {name} SET {setting}")
    with pytest.raises(StartupError, match=said):
        open_database(tmp_path / "data", address)


def test_a_server_whose_disk_may_lie_is_refused(postgres, address, tmp_path):
    with postgres.connect() as connection:
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")
    try:
        wait_until_set(postgres, "full_page_writes", "off")
        with pytest.raises(StartupError, match="full_page_writes = off, it must be on"):
            open_database(tmp_path / "data", address)
    finally:
        with postgres.connect() as connection:
            connection.execute("ALTER SYSTEM RESET full_page_writes")
            connection.execute("SELECT pg_reload_conf()")
        wait_until_set(postgres, "full_page_writes", "on")


def test_a_database_that_another_server_holds_is_refused_until_that_closes(
    database, address, tmp_path, monkeypatch
):
    monkeypatch.setattr(tenure, "_PATIENCE_MS", 50)
    for _ in range(2):  # the second time shows that the folder was not kept
        with pytest.raises(StartupError, match="another server is running on the database"):
            open_database(tmp_path / "other", address)
    database.close()
    open_database(tmp_path / "other", address).close()


def test_a_server_that_is_killed_is_waited_for(postgres, address, tmp_path):
    """Its session may end a moment later than it does."""
    with postgres.connect(address) as gone:
        gone.execute("SELECT pg_advisory_lock(%s)", [tenure._LOCK])
        ending = threading.Timer(0.3, gone.close)
        ending.start()
        open_database(tmp_path / "data", address).close()
        ending.join()


def test_a_folder_belongs_to_one_database(postgres, database, tmp_path):
    database.close()
    with pytest.raises(StartupError, match="belongs to another database"):
        open_database(tmp_path / "data", postgres.new_database())
    with pytest.raises(StartupError, match="are in PostgreSQL"):
        open_database(tmp_path / "data")
    with pytest.raises(SnapshotError, match="pg_dump"):
        create(tmp_path / "data", tmp_path / "snapshot")


def test_a_folder_with_rows_of_its_own_is_not_given_others(address, tmp_path):
    open_database(tmp_path / "data").close()
    with pytest.raises(StartupError, match="has its rows in cipherlens"):
        open_database(tmp_path / "data", address)
    open_database(tmp_path / "data").close()


def test_connections_that_were_ended_are_made_anew(postgres, database, address, make_collection):
    make_collection("before")
    assert names(database) == ["before"]
    assert postgres.end_sessions(address) == 2
    with pytest.raises(StorageUnavailable):
        names(database)
    with pytest.raises(StorageUnavailable):
        make_collection("lost")
    make_collection("after")
    assert names(database) == ["after", "before"]


def test_a_restart_of_postgresql_is_survived(postgres, database, make_collection):
    make_collection("before")
    postgres.kill()
    with pytest.raises(StorageUnavailable):
        make_collection("lost")
    with pytest.raises(StorageUnavailable):
        names(database)
    postgres.start()
    make_collection("after")
    assert names(database) == ["after", "before"]


def test_a_server_that_lost_the_database_to_another_writes_no_more(
    postgres, database, address, tmp_path, make_collection
):
    make_collection("before")
    postgres.end_sessions(address)
    open_database(tmp_path / "other", address).close()
    with pytest.raises(StorageUnavailable):
        make_collection("lost")
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="another server has taken"):
            make_collection("lost")


def test_what_the_holder_no_longer_holds_another_may_take(
    postgres, database, address, tmp_path, monkeypatch
):
    monkeypatch.setattr(tenure, "_PATIENCE_MS", 50)
    postgres.end_sessions(address)
    other = open_database(tmp_path / "other", address)
    with pytest.raises(StorageUnavailable):
        make(database, "lost")
    with pytest.raises(StorageUnavailable, match="another server has taken"):
        make(database, "lost")
    make(other, "kept")
    assert names(other) == ["kept"]
    other.close()


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_commit_that_is_cut_off_is_neither_told_as_kept_nor_as_lost(line, cut_off, item, how):
    told = []
    cut_off.when_unknown(lambda: told.append(how))
    line.cut = how
    with pytest.raises(OutcomeUnknown):
        make(cut_off, "unsure")
    assert told == [how]
    assert names(cut_off) == (["unsure"] if how == "after" else [])
    make(cut_off, "next")
    assert names(cut_off) == (["next", "unsure"] if how == "after" else ["next"])


def test_nothing_is_read_before_a_commit_that_was_cut_off_is_over(line, cut_off, postgres, address):
    """Its session still waits for a lock: what it has written may yet be there, or not."""
    with postgres.connect(address) as other:
        line.cut = "during"
        with other.transaction():
            other.execute("SELECT pg_advisory_xact_lock(7)")
            other.execute(
                "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$"
            )
            other.execute(
                "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON generations "
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wait()"
            )
        with other.transaction():
            other.execute("SELECT pg_advisory_xact_lock(7)")
            with pytest.raises(OutcomeUnknown):
                make(cut_off, "unsure")
            # The session is ended by the next one of the same server, and its commit with it.
            assert names(cut_off) == []
    assert names(cut_off) == []


def test_an_idle_reader_that_was_cut_off_costs_one_call(line, cut_off, postgres, address):
    assert names(cut_off) == []
    postgres.end_sessions(address)
    line.go_down()
    for _ in range(2):
        with pytest.raises(StorageUnavailable):
            names(cut_off)
    line.come_up()
    assert names(cut_off) == []


def test_a_transaction_that_has_failed_is_never_taken_for_kept(database):
    def swallow():
        with database._writing() as connection:
            connection.execute(text("CREATE TABLE more (x INTEGER)"))
            with pytest.raises(psycopg.Error):
                connection.connection.cursor().execute("SELECT * FROM nowhere")

    with pytest.raises(RuntimeError, match="has failed"):
        swallow()
    make(database, "next")
    assert names(database) == ["next"]


def test_failures_are_told_by_what_they_mean(database):
    for raised, told in (
        (psycopg.errors.DiskFull(), StorageFull),
        (psycopg.errors.DataCorrupted(), DataDamaged),
        (psycopg.errors.IndexCorrupted(), DataDamaged),
        (psycopg.errors.SerializationFailure(), StorageUnavailable),
        (psycopg.errors.AdminShutdown(), StorageUnavailable),
        (psycopg.errors.ReadOnlySqlTransaction(), StorageUnavailable),
        (psycopg.OperationalError("host 10.0.0.7 is gone"), StorageUnavailable),
    ):
        with pytest.raises(told) as caught, database.read():
            raise raised
        assert "10.0.0.7" not in str(caught.value)  # callers are not told where it is


def test_a_password_is_told_to_nobody(postgres, address, tmp_path, caplog, capfd):
    wrong = address.with_password("not-the-secret/:@")
    nowhere = DatabaseUrl(f"postgresql://owner:{PASSWORD}@/x?host={tmp_path}")
    with caplog.at_level(logging.DEBUG):
        for url in (wrong, nowhere):
            with pytest.raises(StartupError) as caught:
                open_database(tmp_path / "data", url)
            assert "***" in str(caught.value)
            texts = [str(caught.value), repr(caught.value), repr(url), str(url)]
            assert not any(secret in each for each in texts for secret in (PASSWORD, "not-the"))
        database = open_database(tmp_path / "data", address)
        postgres.end_sessions(address)
        with pytest.raises(StorageUnavailable) as caught:
            make(database, "lost")
        database.close()
    told = "".join((caplog.text, str(caught.value), *capfd.readouterr()))
    assert PASSWORD not in told
    assert "not-the" not in told


def test_a_missing_driver_is_told_with_the_command_that_brings_it(address, tmp_path, monkeypatch):
    for name in ("postgres", "tenure"):
        monkeypatch.delitem(sys.modules, f"cipherlens.server.storage.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StartupError, match=r"pip install 'cipherlens\[postgres\]'"):
        open_database(tmp_path / "data", address)
    open_database(tmp_path / "data").close()
