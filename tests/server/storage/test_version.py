"""Folders of older versions, made as those versions made them, and of ones that are not known."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from cipherlens.server.errors import StartupError
from cipherlens.server.storage import migrations, open_database
from cipherlens.server.storage.records import Change
from cipherlens.server.storage.schema import SCHEMA_VERSION, metadata

VERSION_2 = Path(__file__).parent / "version_2.sql"


@pytest.fixture
def old(tmp_path):
    """A folder of version 2: a collection "v" of two items, one of them deleted."""
    with sqlite3.connect(tmp_path / "cipherlens.sqlite3") as connection:
        connection.executescript(VERSION_2.read_text())
    connection.close()
    return tmp_path


def test_a_folder_of_version_2_is_brought_up_and_loses_nothing(old):
    for _ in range(2):  # the second time there is nothing to do
        database = open_database(old)
        with database.read() as transaction:
            state = transaction.collections.named("v")
            generation = transaction.collections.generation(state.active_generation)
            changes = transaction.items.changes(state.collection, generation, after=0, until=9)
            assert list(changes) == [
                Change(2, "kept", 5, b"12345678"),
                Change(3, "gone", 7, None),
            ]
        database.close()


def test_what_is_brought_up_is_what_is_made_anew(old, tmp_path):
    for folder in (old, tmp_path / "new"):
        database = open_database(folder)
        with database._reading() as connection:
            differences = compare_metadata(MigrationContext.configure(connection), metadata)
            found = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
            indexes = connection.execute(
                text("SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name")
            ).all()
        assert (differences, found) == ([], [SCHEMA_VERSION])
        assert (
            "tombstones",
            "CREATE INDEX tombstones ON items (collection, sequence) WHERE deleted",
        ) in [tuple(each) for each in indexes]
        database.close()
    assert migrations.newest() == SCHEMA_VERSION


def test_a_step_that_fails_changes_nothing(old, monkeypatch):
    def fail(*_arguments):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    with monkeypatch.context() as broken:
        broken.setattr("alembic.op.drop_table", fail, raising=False)
        with pytest.raises(StartupError, match="disk I/O error"):
            open_database(old)
    with sqlite3.connect(old / "cipherlens.sqlite3") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "schema_version" in tables
    assert not {"purge_marks", "alembic_version", "tombstones"} & tables
    open_database(old).close()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("UPDATE schema_version SET version = 1", "schema version 1"),
        ("UPDATE schema_version SET version = 99", "schema version 99"),
        (
            "CREATE TABLE alembic_version (version_num VARCHAR(32));"
            "INSERT INTO alembic_version VALUES ('99')",
            "schema version 99",
        ),
    ],
)
def test_another_schema_is_refused_and_the_folder_given_back(old, change, named):
    with sqlite3.connect(old / "cipherlens.sqlite3") as connection:
        connection.executescript(change)
    connection.close()
    for _ in range(2):  # the second time shows that the lock was not kept
        with pytest.raises(StartupError, match=f"{named}, this program reads {SCHEMA_VERSION}"):
            open_database(old)
