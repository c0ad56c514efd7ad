"""Rows brought over from one database to another: all of them, as they were, after a kill too."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import select, text

from cipherlens.base import Kind
from cipherlens.server.config import DatabaseUrl
from cipherlens.server.errors import MoveError, StartupError
from cipherlens.server.locks import ANY_CALL
from cipherlens.server.storage import ModelStore, moving, open_database
from cipherlens.server.storage.moving import Place, move
from cipherlens.server.storage.opening import open_dialect
from cipherlens.server.storage.records import Computed
from tests.server.storage.conftest import batch_of, item, make

WEIGHTS = b"weights of a model"


class Side:
    """A data folder, and where its rows are."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url

    def open(self):
        return open_database(self.folder, self.url)

    def rows(self):
        """Return all rows of all tables."""
        dialect = open_dialect(self.folder, self.url)
        with dialect.reader.connect() as connection, connection.begin():
            found = {
                table.name: [
                    tuple(row)
                    for row in connection.execute(
                        select(table).order_by(*table.primary_key.columns)
                    )
                ]
                for table in moving._TABLES
            }
        dialect.close()
        return found


@pytest.fixture(params=["there", "back"])
def sides(request, postgres, tmp_path):
    """The source, full, and the target, empty."""
    pair = [
        Side(tmp_path / "sqlite", None),
        Side(tmp_path / "postgres", postgres.new_database()),
    ]
    source, target = pair if request.param == "there" else reversed(pair)
    if target.url is not None:
        target.url = postgres.bare_database()
    fill(source)
    return source, target


def fill(side):
    database = side.open()
    vectors, generation = make(database, "v")
    ciphers, first = make(database, "e", Kind.CIPHER)
    dropped, _ = make(database, "gone")
    with database.write() as transaction:
        items, collections = transaction.items, transaction.collections
        ids = ["a", "ä", "\U0001f600", *(f"i{n}" for n in range(60))]
        batch = batch_of([item(each, sealed=each.encode()) for each in ids])
        items.put(collections.state(vectors), generation, batch)
        items.delete(collections.state(vectors), ["a", "i7"], up_to=99, lasting=int)
        transaction.removal.note_deletions(collections.state(vectors))
        images = batch_of([item(f"c{n}", cipher=True, sealed=b"s" * n) for n in range(20)])
        items.put(collections.state(ciphers), first, images)
        shadow = collections.add_generation(ciphers, model_digest=b"m", numeric_mode="x", length=2)
        collections.set_generations(ciphers, active=first.id, shadow=shadow.id)
        computed = [Computed(item_id="c1", sequence=2, data=b"87654321")]
        items.put_representations(collections.state(ciphers), shadow, computed)
        collections.drop("gone")
    store = ModelStore(database, side.folder / "models")
    with store.incoming() as upload:
        upload.write(WEIGHTS)
        with store.adding(upload, name="m", configuration="{}", call=ANY_CALL):
            pass
    database.close()
    return dropped


@contextmanager
def held(*sides):
    with ExitStack() as opened:
        places = []
        for each in sides:
            dialect = open_dialect(each.folder, each.url)
            opened.callback(dialect.close)
            places.append(Place(each.folder, dialect))
        yield places


def moved(source, target, watch=lambda _: None):
    with held(source, target) as places:
        return move(*places, watch)


def test_what_is_moved_is_what_was_there(sides):
    source, target = sides
    before, steps = source.rows(), []
    found = moved(source, target, steps.append)
    assert source.rows() == target.rows() == before
    assert (found.rows, found.were_there, found.models) == (
        sum(map(len, before.values())),
        0,
        1,
    )
    assert [steps[-1].doing, steps[-1].rows] == ["comparing", steps[-1].of]
    database = target.open()
    store = ModelStore(database, target.folder / "models")
    (record,) = store.listed()
    assert store.read(record.digest) == WEIGHTS
    # A number that was given once, be it to what is gone, is not given again.
    collection, generation = make(database, "new")
    assert collection.id > max(row[0] for row in before["collections"])
    assert generation.id > max(row[0] for row in before["generations"])
    database.close()


def test_a_model_whose_file_is_on_another_machine_comes_from_the_database(sides):
    source, target = sides
    if source.url is not None:  # else files are all there is
        shutil.rmtree(source.folder / "models")
    assert moved(source, target).models == 1
    database = target.open()
    store = ModelStore(database, target.folder / "models")
    assert [store.read(each.digest) for each in store.listed()] == [WEIGHTS]
    database.close()


def test_a_number_of_a_row_that_is_gone_is_not_given_again(sides):
    source, target = sides
    database = source.open()
    last, _ = make(database, "last")
    with database.write() as transaction:
        transaction.collections.drop("last")
    while True:
        with database.write() as transaction:
            if not transaction.removal.dropped(512):
                break
    database.close()
    assert last.id not in [row[0] for row in source.rows()["collections"]]
    moved(source, target)
    database = target.open()
    assert make(database, "new")[0].id > last.id
    database.close()


def test_a_target_with_data_of_its_own_is_left_alone(sides):
    source, target = sides
    database = target.open()
    make(database, "theirs")
    database.close()
    before = target.rows()
    with pytest.raises(MoveError, match="has data of its own"):
        moved(source, target)
    assert target.rows() == before


def test_a_damaged_row_is_named_and_nothing_is_served(sides):
    source, target = sides
    database = source.open()
    with database._writing() as connection:
        damage = text("UPDATE ciphertexts SET sealed = :other WHERE item_id = 'i5'")
        connection.execute(damage, {"other": b"x"})
    database.close()
    with pytest.raises(MoveError, match=r"ciphertexts with .*item_id 'i5' does not agree"):
        moved(source, target)
    with pytest.raises(StartupError, match="run that again"):
        target.open()


def test_a_row_that_is_another_one_in_the_target_is_found(sides, monkeypatch):
    source, target = sides
    copy_models = moving._copy_models

    def meddling(*arguments):
        with places[1].dialect.writer.begin() as connection:
            connection.execute(text("UPDATE purge_marks SET noted_at_us = 7"))
        return copy_models(*arguments)

    monkeypatch.setattr(moving, "_copy_models", meddling)
    with held(source, target) as places, pytest.raises(MoveError, match=r"purge_marks .* another"):
        move(*places)
    with pytest.raises(StartupError, match="run that again"):
        target.open()


def test_a_model_that_is_damaged_is_named(sides):
    source, target = sides
    (path,) = (source.folder / "models").iterdir()
    path.write_bytes(b"other")
    with pytest.raises(MoveError, match=r"model .* is damaged"):
        moved(source, target)


@pytest.mark.parametrize("number", [0, 1])
def test_where_a_server_runs_nothing_is_moved(sides, number):
    if sides[1].url is not None and number == 1:
        open_dialect(sides[1].folder, sides[1].url).close()
    dialect = open_dialect(sides[number].folder, sides[number].url)
    with pytest.raises(StartupError, match="another server is running"):
        moved(*sides)
    dialect.close()


CHILD = """
import os, sys
from pathlib import Path
from cipherlens.server.config import DatabaseUrl
from cipherlens.server.storage import moving
from cipherlens.server.storage.opening import open_dialect
moving._PIECE_ROWS = 7
def place(name):
    folder, url = Path(os.environ[name]), os.environ[name + "_URL"]
    return moving.Place(folder, open_dialect(folder, DatabaseUrl(url) if url else None))
def told(step):
    print(step.doing, flush=True)
    sys.stdin.readline()
moving.move(place("SOURCE"), place("TARGET"), told)
"""


def killed_after(steps, source, target):
    """Move in a process that is killed once it has told so many steps; return those."""
    environment = {
        **os.environ,
        "SOURCE": str(source.folder),
        "SOURCE_URL": source.url.revealed() if source.url else "",
        "TARGET": str(target.folder),
        "TARGET_URL": target.url.revealed() if target.url else "",
    }
    with subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as child:
        told = []
        for _ in range(steps):
            child.stdin.write("\n")
            child.stdin.flush()
            told.append(child.stdout.readline().strip())
        child.kill()
    return told


def test_a_kill_in_the_middle_costs_no_row(sides):
    source, target = sides
    before = source.rows()
    for steps, doing in ((9, "copying"), (40, "comparing")):
        assert killed_after(steps, source, target)[-1] == doing
        with pytest.raises(StartupError, match="run that again"):
            target.open()
    found = moved(source, target)
    assert found.were_there == found.rows == sum(map(len, before.values()))
    assert source.rows() == target.rows() == before
    target.open().close()


def test_what_another_source_has_left_is_not_gone_on_with(sides):
    source, target = sides
    assert killed_after(5, source, target)
    database = source.open()
    with database.write() as transaction:
        state = transaction.collections.named("v")
        generation = transaction.collections.generation(state.active_generation)
        transaction.items.put(state, generation, batch_of([item("i5", revision=9)]))
    database.close()
    assert moved(source, target).were_there == 0
    assert source.rows() == target.rows()


def test_an_address_keeps_its_password_to_itself():
    url = DatabaseUrl("postgresql://u:p%40ss@h:5/d?host=/x").with_password("a/b")
    assert url.revealed() == "postgresql://u:a%2Fb@h:5/d?host=/x"
    assert str(url) == "postgresql://u:***@h:5/d?host=/x"
