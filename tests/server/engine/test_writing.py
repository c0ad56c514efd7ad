"""Callers that wait together share a transaction; what each is told is as if he were alone."""

import sqlite3
import threading
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import event

from cipherlens.base import Kind
from cipherlens.server.call import Call
from cipherlens.server.engine import NewCollection
from cipherlens.server.engine.item_index import ItemIndex
from cipherlens.server.errors import (
    DeadlineExpired,
    IndexBehind,
    OutOfReach,
    StaleRevision,
    StorageUnavailable,
)


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request):
    return request.param


@contextmanager
def commits_of(codes):
    """Give the list of writing transactions that have been committed meanwhile."""
    committed = []

    def note(connection):
        committed.append(connection)

    engine = codes.engine._database._dialect.writer
    event.listen(engine, "commit", note)
    yield committed
    event.remove(engine, "commit", note)


def together(lock, waiting, jobs):
    """Run jobs on threads that all wait for the lock before any is served; return the outcomes."""
    outcomes = {}

    def run(name, job):
        try:
            outcomes[name] = job()
        except Exception as error:  # noqa: BLE001
            outcomes[name] = error

    threads = [threading.Thread(target=run, args=each) for each in jobs.items()]
    with lock:
        for each in threads:
            each.start()
        while waiting() < len(jobs):
            assert all(each.is_alive() for each in threads)
    for each in threads:
        each.join(20)
        assert not each.is_alive()
    return outcomes


def in_collection(codes, jobs):
    live = codes.live()
    return together(live.writing, lambda: len(live._turns._waiting), jobs)


def test_batches_that_wait_together_are_one_transaction(codes):
    jobs = {n: lambda n=n: codes.index([f"{n}a", f"{n}b"]) for n in range(5)}
    with commits_of(codes) as committed:
        written = in_collection(codes, jobs)
    assert len(committed) == 1
    assert sorted(each.sequence for each in written.values()) == [2, 4, 6, 8, 10]
    for n in range(5):
        assert codes.found(f"{n}b") == [f"{n}b"]
    codes.restart()
    assert codes.engine.collections.describe("c").item_count == 10


def test_a_stale_batch_does_not_fail_the_others(codes):
    codes.index(["a"], revision=5)
    jobs = {
        "stale": lambda: codes.index(["x", "a"], revision=4, rows=None),
        "new": lambda: codes.index(["b", "a"], revision=6),
        "gone": lambda: codes.delete(["zz"]),
    }
    outcomes = in_collection(codes, jobs)
    assert isinstance(outcomes["stale"], StaleRevision)
    assert len(outcomes["new"].changes) == 2
    assert outcomes["gone"].changes == ()
    assert codes.found("b") == ["b"]
    assert codes.engine.collections.describe("c").item_count == 2


def test_the_same_item_twice_in_a_transaction_is_there_once(codes):
    jobs = {
        revision: lambda revision=revision: codes.index(["a", str(revision)], revision=revision)
        for revision in (1, 2, 3)
    }
    outcomes = in_collection(codes, jobs)
    written = [each for each in outcomes.values() if not isinstance(each, StaleRevision)]
    assert not isinstance(outcomes[3], StaleRevision)
    assert codes.found("a", k=9).count("a") == 1
    assert codes.engine.collections.describe("c").item_count == 1 + len(written)


def test_collections_that_wait_for_the_database_share_a_transaction(codes):
    for name in "def":
        codes.create(name)
    database = codes.engine._database
    jobs = {name: lambda name=name: codes.index(["a"], name) for name in "def"}
    with commits_of(codes) as committed:
        outcomes = together(database._dialect.writing, lambda: len(database._turns._waiting), jobs)
    assert len(committed) == 1
    assert [outcomes[name].sequence for name in "def"] == [1, 1, 1]
    for name in "def":
        assert codes.found("a", name) == ["a"]


def disk_error(dialect):
    if dialect == "postgres":
        return psycopg.errors.IoError("could not write")
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    return error


def test_a_commit_that_fails_is_told_to_all_and_nothing_of_it_is_kept(codes, dialect):
    def fail(_connection):
        raise disk_error(dialect)

    engine = codes.engine._database._dialect.writer
    event.listen(engine, "commit", fail)
    outcomes = in_collection(codes, {n: lambda n=n: codes.index([n]) for n in "abc"})
    event.remove(engine, "commit", fail)
    assert {type(each) for each in outcomes.values()} == {StorageUnavailable}
    assert codes.engine.collections.describe("c").item_count == 0
    assert codes.index(["a"]).sequence == 1


@pytest.mark.parametrize("batch", [["a"], ["a", "b"]])
def test_unchanged_items_take_no_sequence(codes, batch):
    first = codes.index(batch)
    again = codes.index(batch)
    assert (again.sequence, again.unchanged_count, again.changes) == (
        first.sequence,
        len(batch),
        (),
    )


def test_a_batch_waits_for_its_collection_no_longer_than_its_deadline(codes):
    with codes.live().writing, pytest.raises(DeadlineExpired):
        codes.index(["a"], call=Call.within(0.05))
    assert codes.engine.collections.describe("c").item_count == 0


def test_a_write_waits_for_the_database_no_longer_than_its_deadline(codes):
    codes.create("d")
    new = NewCollection(name="new", kind=Kind.CODE, bits=24)
    with codes.engine._database._dialect.writing:
        for write in (
            lambda call: codes.index(["a"], call=call),
            lambda call: codes.engine.collections.create(new, call),
            lambda call: codes.engine.collections.drop("d", call),
        ):
            with pytest.raises(DeadlineExpired):
                write(Call.within(0.05))
    assert [each.collection.name for each in codes.engine.collections.describe_all()] == ["c", "d"]
    assert codes.index(["a"]).sequence == 1


def test_an_index_that_cannot_follow_takes_back_no_commit(codes, monkeypatch):
    """The answer says that the change is kept, and the same request is answered once it can be."""

    def fail(*_arguments):
        raise MemoryError

    codes.index(["a"])
    with monkeypatch.context() as broken:
        broken.setattr(ItemIndex, "follow", fail)
        jobs = {"b": lambda: codes.index(["b"]), "stale": lambda: codes.index(["a"], revision=0)}
        outcomes = in_collection(codes, jobs)
    assert isinstance(outcomes["b"], IndexBehind)
    assert isinstance(outcomes["stale"], StaleRevision)
    again = codes.index(["b"])
    assert (again.unchanged_count, again.changes) == (1, ())
    assert codes.found("b") == ["b"]
    codes.restart()
    assert codes.engine.collections.describe("c").item_count == 2


def test_a_change_out_of_reach_is_not_waited_for(codes):
    codes.index(["a"])
    limits = codes.config.limits
    reach = limits.max_concurrent_calls * limits.max_batch_items
    with pytest.raises(OutOfReach, match="the last one is 1"):
        codes.found("a", min_sequence=1 + reach + 1)
    with pytest.raises(DeadlineExpired):
        codes.found("a", min_sequence=1 + reach, call=Call.within(0))
