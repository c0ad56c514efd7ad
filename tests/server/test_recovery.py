"""Damage, full disks and indexes that fail: what is served, what is told, what comes back."""

import sqlite3
import threading
import time

import grpc
import pytest

from cipherlens.server.engine.live import LiveCollection
from cipherlens.server.index import CosineIndex
from cipherlens.v1 import retrieval_service_pb2 as pb


def ids(count):
    return [f"i{n}" for n in range(count)]


@pytest.fixture
def filled(cloud, vectors, codes, gaussian):
    cloud.create()
    cloud.create_codes()
    cloud.index(ids(10), vectors=vectors(gaussian(10)), sealed=b"sealed")
    cloud.index(ids(10), "c", codes=codes([[n, 0] for n in range(10)]))
    return cloud


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE items SET revision = 9 WHERE collection = 1 AND item_id = 'i3'",
        "UPDATE items SET content_digest = 'x' WHERE collection = 1 AND item_id = 'i3'",
        "UPDATE items SET owner_tag = 7 WHERE collection = 1 AND item_id = 'i3'",
        "UPDATE representations SET data = zeroblob(64) WHERE generation = 1 AND item_id = 'i3'",
        "UPDATE representations SET checksum = x'' WHERE generation = 1 AND item_id = 'i3'",
    ],
)
def test_a_damaged_item_is_named_and_set_aside_and_mended_by_writing_it_again(
    filled, vectors, gaussian, caplog, damage
):
    filled.stop()
    filled.execute(damage)
    filled.start()
    assert "'i3' is damaged" in caplog.text
    assert filled.collection().damaged_count == 1
    (found,) = filled.ids_found(vectors=vectors(gaussian(10)[3]), k=10)
    assert sorted(found) == sorted(set(ids(10)) - {"i3"})
    states = {i: each.state for i, each in filled.fetch(ids(10)).items()}
    assert states.pop("i3") == pb.ITEM_STATE_DAMAGED
    assert set(states.values()) == {pb.ITEM_STATE_PRESENT}
    assert filled.ids_found("c", codes=codes_of(3), k=1) == [["i3"]]
    again = filled.index(ids(10), vectors=vectors(gaussian(10)), sealed=b"sealed")
    assert (again.written_count, again.unchanged_count) == (1, 9)
    (found,) = filled.ids_found(vectors=vectors(gaussian(10)[3]), k=10)
    assert (found[0], len(found)) == ("i3", 10)
    assert filled.collection().damaged_count == 0


def codes_of(number):
    from cipherlens.v1 import representation_pb2

    return representation_pb2.Codes(bits=12, data=bytes([number, 0]))


def test_a_damaged_ciphertext_does_not_hide_the_item_from_searches(filled, vectors, gaussian):
    filled.stop()
    filled.execute("UPDATE ciphertexts SET sealed = x'00' WHERE item_id = 'i3'")
    filled.start()
    (found,) = filled.ids_found(vectors=vectors(gaussian(10)[3]), k=10, item_budget_bytes=10**6)
    assert found[0] == "i3"
    assert filled.fetch(["i3"])["i3"].state == pb.ITEM_STATE_DAMAGED


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE collections SET dimension = 17 WHERE name = 'v'",
        "UPDATE collections SET sequence = 3 WHERE name = 'v'",
        "UPDATE collections SET active_generation = 2 WHERE name = 'v'",
        "UPDATE generations SET dimension = 17 WHERE id = 1",
        "UPDATE generations SET checksum = x'00' WHERE id = 1",
    ],
)
def test_a_damaged_collection_is_named_and_the_others_are_served(
    filled, vectors, gaussian, failure, caplog, damage
):
    filled.stop()
    filled.execute(damage)
    filled.start()
    assert "collection 'v' is set aside" in caplog.text
    code, text, details = failure(filled.search, vectors=vectors(gaussian(1)))
    assert (code.name, details["ErrorInfo"].reason) == ("DATA_LOSS", "DATA_DAMAGED")
    assert "'v'" in text
    assert filled.ids_found("c", codes=codes_of(3), k=1) == [["i3"]]
    found = filled.stub.ListCollections(pb.ListCollectionsRequest(), timeout=20).collections
    assert [each.name for each in found] == ["c"]
    filled.stub.DeleteCollection(pb.DeleteCollectionRequest(name="v"), timeout=20)
    assert filled.create().item_count == 0
    filled.index(["a"], vectors=vectors(gaussian(1)))
    filled.restart()
    assert filled.ids_found(vectors=vectors(gaussian(1))) == [["a"]]
    assert filled.ids_found("c", codes=codes_of(3), k=1) == [["i3"]]


def test_a_collections_name_that_was_damaged_takes_nothing_else_with_it(filled, caplog):
    filled.stop()
    filled.execute("UPDATE collections SET name = CAST(x'76ff' AS TEXT) WHERE name = 'v'")
    filled.start()
    assert "is set aside" in caplog.text
    assert filled.ids_found("c", codes=codes_of(3), k=1) == [["i3"]]


def test_an_index_that_fails_after_the_commit_is_made_anew(
    filled, vectors, gaussian, monkeypatch, caplog
):
    append, failures = CosineIndex.append, [MemoryError("no room")]

    def failing(index, rows, sequences):
        if failures:
            raise failures.pop()
        append(index, rows, sequences)

    monkeypatch.setattr(CosineIndex, "append", failing)
    rows = gaussian(12, seed=5)
    answer = filled.index(["x", "i2"], revision=2, vectors=vectors(rows[:2]))
    assert answer.sequence == 12
    assert "could not follow" in caplog.text
    assert filled.ids_found(vectors=vectors(rows[:2]), k=1) == [["x"], ["i2"]]
    filled.index(["y"], vectors=vectors(rows[2]))
    filled.delete(["i0"])
    (found,) = filled.ids_found(vectors=vectors(rows[0]), k=20)
    assert sorted(found) == sorted([*ids(10)[1:], "x", "y"])


def test_an_index_that_cannot_be_made_anew_at_once_never_stays_behind(
    filled, vectors, gaussian, monkeypatch, failure, caplog
):
    append, broken = CosineIndex.append, threading.Event()
    broken.set()

    def failing(index, rows, sequences):
        if broken.is_set():
            raise MemoryError("no room")
        append(index, rows, sequences)

    monkeypatch.setattr(CosineIndex, "append", failing)
    rows = gaussian(2, seed=5)
    code, text, details = failure(filled.index, ["x"], vectors=vectors(rows[0]))
    assert (code.name, details["ErrorInfo"].reason) == ("UNAVAILABLE", "INDEX_BEHIND")
    assert "the change is on disk" in text
    assert details["RetryInfo"].retry_delay.seconds == 1
    broken.clear()
    # The retry finds the item there, and answers only once it is searchable.
    again = filled.index(["x"], vectors=vectors(rows[0]))
    assert (again.sequence, again.unchanged_count) == (11, 1)
    assert filled.ids_found(vectors=vectors(rows[0]), k=1) == [["x"]]
    assert filled.search(vectors=vectors(rows[0]), min_sequence=11).sequence == 11


def test_the_background_catches_up_by_itself(
    filled, vectors, gaussian, monkeypatch, failure, settled
):
    append, failures = CosineIndex.append, [MemoryError("1"), MemoryError("2"), MemoryError("3")]

    def failing(index, rows, sequences):
        if failures:
            raise failures.pop()
        append(index, rows, sequences)

    monkeypatch.setattr(CosineIndex, "append", failing)
    rows = gaussian(1, seed=5)
    failure(filled.index, ["x"], vectors=vectors(rows[0]))
    settled(lambda: not filled.engine._registry.find("v").is_behind)
    assert filled.ids_found(vectors=vectors(rows[0]), k=1) == [["x"]]


def test_a_search_never_shows_an_item_twice_while_it_is_replaced(
    filled, vectors, gaussian, monkeypatch
):
    mask, between, go_on = CosineIndex.mask, threading.Event(), threading.Event()

    def slow(index, positions):
        between.set()
        assert go_on.wait(20)
        mask(index, positions)

    monkeypatch.setattr(CosineIndex, "mask", slow)
    rows = gaussian(10)
    write = threading.Thread(
        target=lambda: filled.index(["i3"], revision=2, vectors=vectors(rows[3]))
    )
    write.start()
    assert between.wait(20)
    searching = filled.stub.Search.future(
        pb.SearchRequest(collection="v", k=11, vectors=vectors(rows[3])), timeout=20
    )
    go_on.set()
    (hits,) = searching.result().results
    write.join(20)
    assert sorted(hits.item_ids) == sorted(ids(10))


def test_a_full_disk_is_told_and_nothing_is_half_written(filled, vectors, gaussian, failure):
    before = filled.state()
    connection = filled.engine._database._dialect.writer.raw_connection()
    pages = connection.cursor().execute("PRAGMA page_count").fetchone()[0]
    connection.close()

    def limit(dbapi_connection, *_):
        dbapi_connection.execute(f"PRAGMA max_page_count = {pages}")

    from sqlalchemy import event

    pool = filled.engine._database._dialect.writer.pool
    event.listen(pool, "checkout", limit)
    code, text, details = failure(
        filled.index, ["x", "y"], vectors=vectors(gaussian(2)), sealed=b"s" * 90000
    )
    assert (code.name, details["ErrorInfo"].reason) == ("RESOURCE_EXHAUSTED", "STORAGE_FULL")
    assert "full" in text
    assert filled.state() == before
    event.remove(pool, "checkout", limit)
    event.listen(pool, "checkout", lambda c, *_: c.execute("PRAGMA max_page_count = 1000000"))
    filled.index(["x", "y"], vectors=vectors(gaussian(2)), sealed=b"s" * 90000)
    assert filled.collection().item_count == 12


def test_a_commit_that_fails_leaves_database_and_index_as_they_were(
    filled, vectors, gaussian, failure, monkeypatch
):
    from sqlalchemy import event

    before = filled.state()
    engine = filled.engine._database._dialect.writer

    def fail(_connection):
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        raise error

    event.listen(engine, "commit", fail)
    code, _, _ = failure(filled.index, ["x"], vectors=vectors(gaussian(1)))
    event.remove(engine, "commit", fail)
    assert code is grpc.StatusCode.UNAVAILABLE
    assert filled.state() == before
    assert filled.index(["x"], vectors=vectors(gaussian(1))).sequence == 11


def test_a_call_that_is_gone_writes_nothing(filled, vectors, gaussian, failure):
    live: LiveCollection = filled.engine._registry.find("v")
    with live.writing:
        code, _, _ = failure(filled.index, ["x"], vectors=vectors(gaussian(1)), timeout=0.1)
        time.sleep(0.4)  # the server's clock for the call began a little later than the client's
    assert code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert filled.delete(["i9"]).sequence == 11
    assert filled.collection().item_count == 9


def test_a_damaged_page_takes_only_the_items_on_it(cloud, vectors, gaussian):
    """Where SQLite itself cannot read on, all other items are still fetched."""
    cloud.create()
    rows = gaussian(100)
    for start in range(0, 100, 10):
        names = [f"i{n}" for n in range(start, start + 10)]
        cloud.index(names, vectors=vectors(rows[start : start + 10]), sealed=b"s" * 900)
    cloud.stop()
    pages = bytearray(cloud.database_path.read_bytes())
    leaves = [
        at
        for at in range(0, len(pages), 4096)
        if pages[at] == 0x0D
        and b"i55" in pages[at : at + 4096]
        and b"s" * 900 in pages[at : at + 4096]
    ]
    pages[leaves[0]] = 0xFF  # no kind of page
    cloud.database_path.write_bytes(pages)
    cloud.start()
    found = cloud.fetch([f"i{n}" for n in range(100)])
    damaged = {name for name, each in found.items() if each.state == pb.ITEM_STATE_DAMAGED}
    assert "i55" in damaged
    assert len(damaged) <= 4  # as many as a page holds
    assert all(
        each.item.sealed_original == b"s" * 900
        for name, each in found.items()
        if name not in damaged
    )
    assert cloud.ids_found(vectors=vectors(rows[55]), k=1) == [["i55"]]
