"""What is gone for callers at once, and leaves the disk a little at a time."""

import sqlite3
import threading
from dataclasses import replace

import pytest
from sqlalchemy import text

from cipherlens.server.engine import sweeping
from cipherlens.server.engine.background import Background
from cipherlens.server.engine.sweeping import Sweeper
from cipherlens.server.errors import NotFound, StaleRevision, StorageUnavailable
from cipherlens.server.storage import removal


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request):
    return request.param


TABLES = ("collections", "generations", "items", "ciphertexts", "representations", "purge_marks")


@pytest.fixture
def swept(monkeypatch):
    """Return a function that sweeps until nothing is left, and holds up all sweeping but its."""
    looked = threading.Semaphore(0)

    def note(_background, chore, _pause_s):
        if isinstance(chore, Sweeper):
            looked.release()

    monkeypatch.setattr(Background, "consider_in", note)

    def sweep(codes):
        for _ in range(2):  # a look that was under way may not have seen the latest
            while looked.acquire(blocking=False):
                pass
            codes.engine._housekeeping._sweeper.begin()
            assert looked.acquire(timeout=20)

    return sweep


def counts(codes):
    with codes.engine._database._reading() as connection:
        return {each: connection.scalar(text(f"SELECT count(*) FROM {each}")) for each in TABLES}


def ids(count, prefix="i"):
    return [f"{prefix}{number}" for number in range(count)]


def test_a_dropped_collection_is_gone_at_once_and_its_rows_little_by_little(
    codes, swept, monkeypatch
):
    monkeypatch.setattr(sweeping, "_ROWS_PER_PIECE", 3)
    codes.create("d")
    codes.index(ids(10), "d")
    codes.index(ids(5))
    kept = {**counts(codes), "collections": 1, "generations": 1, "items": 5, "representations": 5}
    pieces = []
    run = removal.Removal._run

    def watched(*arguments, **named):
        found = run(*arguments, **named)
        pieces.append(found)
        return found

    monkeypatch.setattr(removal.Removal, "_run", watched)
    codes.engine.collections.drop("d")
    with pytest.raises(NotFound):
        codes.engine.collections.describe("d")
    codes.create("d")  # the name is free
    swept(codes)
    codes.engine.collections.drop("d")
    swept(codes)
    assert counts(codes) == kept
    assert max(pieces) == 3
    codes.restart()
    assert [each.collection.name for each in codes.engine.collections.describe_all()] == ["c"]
    assert codes.found("i3") == ["i3"]


def test_what_a_crash_has_left_of_a_dropped_collection_goes_after_the_next_start(
    codes, swept, monkeypatch
):
    codes.index(ids(10))
    monkeypatch.setattr(Sweeper, "begin", lambda _sweeper: None)
    codes.engine.collections.drop("c")
    codes.restart()
    assert codes.engine.collections.describe_all() == []
    assert counts(codes)["items"] == 10
    monkeypatch.undo()
    codes.restart()
    while counts(codes)["collections"]:
        assert codes.engine.collections.describe_all() == []


@pytest.mark.parametrize("dialect", ["sqlite"])  # PostgreSQL cleans up by itself
def test_space_is_given_back(codes, swept):
    database = codes.config.data_dir / "cipherlens.sqlite3"
    codes.index([f"{number:0500}" for number in range(1000)])
    codes.engine.collections.drop("c")
    swept(codes)
    with sqlite3.connect(database) as connection:
        pages, free = (
            connection.execute(f"PRAGMA {each}").fetchone()[0]
            for each in ("page_count", "freelist_count")
        )
    connection.close()
    assert free == 0
    assert pages < 40  # it had more than two hundred


@pytest.fixture
def forgetful(codes):
    """An engine that remembers no deletion for longer than it must."""
    codes.engine.close()
    codes.config = replace(codes.config, keep_tombstones_s=0.0)
    codes.restart()
    return codes


def test_tombstones_are_purged_once_they_are_old_enough(forgetful, swept):
    forgetful.index(ids(10))
    forgetful.delete(ids(7))
    swept(forgetful)
    assert counts(forgetful)["items"] == 3
    assert counts(forgetful)["purge_marks"] == 0
    forgetful.restart()
    state = forgetful.engine.collections.describe("c")
    assert (state.item_count, state.sequence) == (3, 17)
    assert forgetful.found("i8") == ["i8"]
    assert forgetful.index(["i0"], revision=1).sequence == 18  # nobody remembers


def test_a_deletion_is_remembered_for_as_long_as_is_asked(codes, swept):
    codes.index(ids(10))
    codes.delete(ids(7))
    swept(codes)
    assert counts(codes)["items"] == 10
    assert counts(codes)["purge_marks"] == 1
    codes.restart()
    with pytest.raises(StaleRevision):
        codes.index(["i0"], revision=1)
    swept(codes)
    assert counts(codes)["purge_marks"] == 1  # noted once


def test_an_index_begun_before_the_horizon_does_not_take_over(forgetful, swept):
    """It would never hear of the deletion, and find what is gone."""
    forgetful.index(ids(10))
    live, database = forgetful.live(), forgetful.engine._database
    with database.read() as transaction:
        begun = live.load(transaction, live.serving.generation)
    forgetful.delete(ids(7))
    with database.read() as transaction:
        live.catch_up(transaction, live.load(transaction, begun.generation))
    swept(forgetful)
    with (
        pytest.raises(StorageUnavailable, match="may be forgotten"),
        database.read() as transaction,
    ):
        live.catch_up(transaction, begun)
    with database.read() as transaction:
        assert live.load(transaction, begun.generation).vectors.live_count == 3


def test_an_index_file_from_before_the_horizon_is_not_taken(forgetful, swept, caplog):
    names = ids(5000)
    for start in range(0, 5000, 1000):
        forgetful.index(names[start : start + 1000])
    forgetful.restart()  # its file ends here
    file = next((forgetful.config.data_dir / "indexes").iterdir())
    old = file.read_bytes()
    forgetful.delete(names[:4000])
    swept(forgetful)
    forgetful.engine.close()
    file.write_bytes(old)
    forgetful.restart()
    assert "its index is made from the database" in caplog.text
    assert forgetful.engine.collections.describe("c").item_count == 1000
    assert forgetful.found(names[0], k=1) != [names[0]]
