"""A start from files finds what a start from the database finds, whatever became of the files."""

import json
import logging
import sqlite3

import numpy as np
import pytest

from cipherlens.server.engine import item_index
from cipherlens.server.storage import index_files
from cipherlens.server.storage.reading import ItemReader

IDS = [f"{n:03}" for n in range(200)]


@pytest.fixture
def kept(codes, monkeypatch):
    """An engine whose indexes are worth a file from the first row on."""
    monkeypatch.setattr(item_index, "_FEWEST_KEPT", 1)
    codes.index(IDS)
    codes.delete(IDS[:7])
    codes.index(IDS[7:9], revision=2)
    return codes


@pytest.fixture
def asked(monkeypatch):
    """The sequences after which the database was asked for changes."""
    after = []
    changes = ItemReader.changes

    def noted(self, *args, **kwargs):
        after.append(kwargs["after"])
        return changes(self, *args, **kwargs)

    monkeypatch.setattr(ItemReader, "changes", noted)
    return after


def file_of(codes):
    (path,) = (codes.config.data_dir / "indexes").iterdir()
    return path


def everything(codes):
    live = codes.live()
    names = live.serving.names
    found = {item_id: codes.found(item_id, k=300) for item_id in IDS[::20]}
    described = codes.engine.collections.describe("c")
    return found, names.positions(IDS), live.serving.sequence, described


def check_goes_on(codes):
    """What is written after a start is there, too, and after another start."""
    codes.index(["new", *IDS[:2]], revision=3)
    codes.delete([IDS[9]])
    assert codes.found("new") == ["new"]
    found = everything(codes)
    codes.restart()
    assert everything(codes)[0] == found[0]
    assert codes.engine.collections.describe("c").item_count == 195


def test_a_start_from_a_file_asks_for_nothing_and_finds_the_same(kept, asked):
    before = everything(kept)
    kept.restart()
    assert asked == [209]
    after = everything(kept)
    assert (after[0], after[2], after[3].item_count) == (before[0], 209, 193)
    assert after[1][:7] == [-1] * 7
    check_goes_on(kept)


def test_what_came_after_the_file_is_followed(kept, asked):
    kept.engine._keeper.keep(kept.live())
    data = file_of(kept).read_bytes()
    kept.index(["later"])
    kept.delete([IDS[50]])
    before = everything(kept)
    kept.engine.close()
    file_of(kept).write_bytes(data)
    kept.restart()
    assert asked == [209]
    assert everything(kept)[:1] == before[:1]
    assert kept.found("later") == ["later"]
    assert kept.live().serving.names.positions([IDS[50]]) == [-1]


def with_facts(data, **changes):
    """Return an index file that says something else, with the checksum that fits."""
    magic, version, size = index_files._BEGINNING.unpack_from(data)
    start = index_files._PREFIX_BYTES
    head = json.loads(data[start : start + size])
    head["facts"] |= changes
    text = json.dumps(head).encode()
    text = text.ljust(index_files._padded(len(text)))
    beginning = index_files._BEGINNING.pack(magic, version, len(text))
    rest = text + data[start + size :]
    return beginning + index_files._checksum(beginning, rest) + rest


DAMAGE = {
    "a bit": lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
    "cut off": lambda data: data[:1000],
    "empty": lambda data: b"",
    "another program's": lambda data: b"x" * 5000,
    "other facts": lambda data: with_facts(data, damaged=3),
    "facts of another shape": lambda data: with_facts(data, vectors=[]),
    "no sequence": lambda data: with_facts(data, sequence="7"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_file_never_stops_a_start(kept, asked, damage, caplog):
    before = everything(kept)
    kept.engine.close()
    path = file_of(kept)
    path.write_bytes(damage(path.read_bytes()))
    kept.restart()
    assert asked == [0]
    assert "made from the database" in caplog.text
    assert everything(kept)[0] == before[0]
    check_goes_on(kept)


def test_a_file_from_after_the_database_is_removed_at_once(kept, asked):
    """The database was put back to an older state: what it does next is another history."""
    kept.engine.close()
    with sqlite3.connect(kept.config.data_dir / "cipherlens.sqlite3") as connection:
        connection.execute("PRAGMA wal_checkpoint")
    connection.close()
    older = (kept.config.data_dir / "cipherlens.sqlite3").read_bytes()
    kept.restart()
    kept.index(["ahead"])
    kept.engine.close()
    (kept.config.data_dir / "cipherlens.sqlite3").write_bytes(older)
    asked.clear()
    kept.restart()
    assert asked == [0]
    assert list((kept.config.data_dir / "indexes").iterdir()) == []
    assert kept.found("ahead", k=1) != ["ahead"]


def test_a_file_of_another_generation_or_kind_does_not_fit(kept, asked, monkeypatch):
    files = kept.engine._keeper._files
    kept.engine.close()
    (name,) = files.names()
    whole = files.read(name)
    for facts in (
        {**whole.facts, "generation": 99},
        {**whole.facts, "collection": "other"},
        {**whole.facts, "vectors": {"metric": "hamming", "bits": 64}},
    ):
        files.write(name, index_files.Kept(facts, whole.arrays))
        asked.clear()
        kept.restart()
        assert asked == [0]
        kept.engine.close()


def test_files_of_collections_that_are_gone_are_removed(kept):
    kept.engine._keeper.keep(kept.live())
    kept.engine.collections.drop("c")
    folder = kept.config.data_dir / "indexes"
    assert list(folder.iterdir()) == []
    (folder / "left-by-a-crash.index").write_bytes(b"x")
    kept.restart()
    assert list(folder.iterdir()) == []


def test_what_cannot_be_removed_does_not_stop_a_start(kept, caplog):
    before = everything(kept)
    kept.engine.close()
    path = file_of(kept)
    path.unlink()
    path.mkdir()
    path.with_name("of-nobody.index").mkdir()
    kept.restart()
    assert everything(kept)[0] == before[0]
    assert caplog.text.count("cannot be removed") == 2
    kept.engine.collections.drop("c")
    assert caplog.text.count("cannot be removed") == 3


def test_few_rows_are_not_worth_a_file(codes):
    codes.index(IDS)
    codes.restart()
    assert list((codes.config.data_dir / "indexes").iterdir()) == []


def test_a_file_that_cannot_be_written_does_not_stop_the_end(kept, caplog, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_files, "replace_file", full)
    with caplog.at_level(logging.WARNING):
        kept.restart()
    assert "was not kept" in caplog.text
    assert kept.found(IDS[20]) == [IDS[20]]


def test_the_background_keeps_what_a_start_would_miss(kept, settled, monkeypatch):
    monkeypatch.setattr(item_index, "_UNKEPT_ROWS", 100)
    kept.index(["w"])
    settled(lambda: kept.live().serving.kept.sequence == 210)
    kept.index(["x"])
    assert not kept.engine._housekeeping._upkeep.is_wanted(kept.live())
    many = [f"{n}!" for n in range(150)]
    kept.index(many, rows=np.full((150, 3), 7, np.uint8))
    settled(lambda: kept.live().serving.kept.sequence == 361)
