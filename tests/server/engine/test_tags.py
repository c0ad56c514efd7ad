"""Tags of items in an engine: what is found by them after changes, restarts and repairs."""

import sqlite3
import threading

import pytest

from cipherlens.server.call import Call
from cipherlens.server.engine import CodeBatch, ItemHead, Question, TagFilter, item_index
from cipherlens.server.errors import CollectionReplaced, StaleRevision
from cipherlens.server.index import SearchParameters
from cipherlens.server.storage.records import ItemTags
from tests.server.engine.conftest import BITS, code

RED, OLD, NONE = b"r" * 16, b"o" * 16, b"n" * 16
IDS = [f"{number:03}" for number in range(100)]


def head(item_id, *tokens, revision=1, sealed=b"sealed"):
    tags = ItemTags(b"".join(tokens), sealed if tokens else b"")
    return ItemHead(item_id, revision, b"", b"", tags)


def index(codes, *heads):
    codes.index([each.item_id for each in heads], heads=list(heads))


def kept(codes, k=200, **tokens):
    """Return the ids that a filter keeps, found and counted."""
    wanted = TagFilter(**tokens)
    asked = Question(collection="c", k=k, parameters=SearchParameters(), kept=wanted)
    answer = codes.engine.searches.search(asked, CodeBatch(code("000")[None], BITS))
    ids = sorted(answer.item_ids()[0])
    assert codes.engine.searches.count("c", wanted)[0] == len(ids)
    return ids


def check(codes):
    """Check what is kept of the items of `tagged`, whatever has become of the engine."""
    assert kept(codes, any_of=(RED,)) == IDS[0:50:2]
    assert kept(codes, any_of=(RED, OLD)) == IDS[0:50:2] + IDS[60:]
    assert kept(codes, all_of=(RED, OLD)) == []
    assert kept(codes, none_of=(OLD,)) == IDS[:60]
    assert kept(codes, any_of=(RED,), none_of=(OLD, NONE)) == IDS[0:50:2]
    assert kept(codes, all_of=(NONE,)) == []
    assert codes.engine.searches.count("c") == (100, codes.live().serving.sequence)


@pytest.fixture
def tagged(codes):
    """An engine of 100 items: every second one of the first 50 is red, the last 40 are old."""
    index(codes, *(head(each, RED) for each in IDS[:50]))
    index(codes, *(head(each) for each in IDS[50:60]), *(head(each, OLD) for each in IDS[60:]))
    index(codes, *(head(each, revision=2) for each in IDS[1:50:2]))
    check(codes)
    return codes


def test_tags_are_those_of_the_last_revision(tagged):
    index(tagged, head("000", OLD, revision=2))
    assert "000" in kept(tagged, any_of=(OLD,))
    assert "000" not in kept(tagged, any_of=(RED,))
    with pytest.raises(StaleRevision):
        index(tagged, head("000", RED, revision=1))
    with pytest.raises(StaleRevision):  # the same revision, with other tags
        index(tagged, head("000", RED, revision=2))
    with pytest.raises(StaleRevision):
        index(tagged, head("000", OLD, revision=2, sealed=b"otherwise"))
    again = tagged.index(["000"], heads=[head("000", OLD, revision=2)])
    assert (again.changes, again.unchanged_count) == ((), 1)


def test_what_is_deleted_is_not_counted(tagged):
    tagged.delete(IDS[:10])
    assert kept(tagged, any_of=(RED,)) == IDS[10:50:2]
    index(tagged, head("000", OLD, revision=3))
    assert kept(tagged, any_of=(RED,)) == IDS[10:50:2]
    assert "000" in kept(tagged, any_of=(OLD,))


def test_a_start_from_the_database_finds_the_same(tagged):
    tagged.restart()
    check(tagged)


def test_a_start_from_a_file_finds_the_same(tagged, monkeypatch):
    monkeypatch.setattr(item_index, "_FEWEST_KEPT", 1)
    tagged.restart()
    tagged.restart()
    assert tagged.live().serving.kept.sequence == tagged.live().serving.sequence
    check(tagged)
    index(tagged, head("new", RED))
    assert "new" in kept(tagged, any_of=(RED,))


def test_an_index_without_its_dead_rows_finds_the_same(tagged, monkeypatch):
    monkeypatch.setattr(item_index, "_FEWEST_DEAD", 1)
    live = tagged.live()
    serving = live.serving
    live.adopt(serving.without_dead(serving.moment(), live.empty(serving.generation)))
    assert len(live.serving.vectors) == 100 < len(serving.vectors)
    check(tagged)


def test_a_row_whose_tokens_were_damaged_is_set_aside(tagged):
    tagged.engine.close()
    with sqlite3.connect(tagged.config.data_dir / "cipherlens.sqlite3") as connection:
        connection.execute("UPDATE items SET tokens = ? WHERE item_id = '000'", [OLD])
        connection.execute("UPDATE items SET tokens = NULL WHERE item_id = '002'")
        connection.execute("UPDATE items SET sealed_tags = x'00' WHERE item_id = '004'")
        connection.execute("UPDATE items SET tokens = 'text' WHERE item_id = '006'")
        connection.execute("UPDATE items SET tokens = ? WHERE item_id = '050'", [RED])
    connection.close()
    tagged.restart()
    assert set(tagged.live().serving.damaged) == {"000", "002", "004", "006", "050"}
    assert kept(tagged, any_of=(RED,)) == IDS[8:50:2]


def test_a_request_for_another_collection_of_the_name_is_refused(tagged):
    uuid, other = tagged.live().collection.uuid, "00000000-0000-4000-8000-000000000000"
    assert tagged.engine.searches.count("c", collection_uuid=uuid)[0] == 100
    with pytest.raises(CollectionReplaced, match=f"is {uuid}, not {other}"):
        tagged.engine.searches.count("c", collection_uuid=other)
    rows = CodeBatch(code("x")[None], BITS)
    with pytest.raises(CollectionReplaced):
        tagged.engine.items.index("c", [head("x", RED)], rows, b"", Call(), collection_uuid=other)
    assert kept(tagged, any_of=(RED,)) == IDS[0:50:2]


def test_an_item_that_is_replaced_is_found_as_it_was_or_as_it_is(tagged):
    """It carries the token before and after: at no moment may it be missing, or counted twice."""
    stop, wrong = threading.Event(), []

    def look():
        while not stop.is_set():
            if "000" not in kept(tagged, any_of=(RED,)):
                wrong.append("missing")
            if tagged.engine.searches.count("c", TagFilter(any_of=(RED,)))[0] != 25:
                wrong.append("counted")

    reader = threading.Thread(target=look)
    reader.start()
    for revision in range(3, 60):
        index(tagged, head("000", RED, revision=revision))
    stop.set()
    reader.join(20)
    assert wrong == []
