import hashlib

import pytest
from sqlalchemy import text

from cipherlens.server.errors import DataDamaged
from cipherlens.server.storage import ModelStore


@pytest.fixture
def store(database, tmp_path):
    return ModelStore(database, tmp_path / "models")


def add(store, data, name="m"):
    with store.incoming() as upload:
        upload.write(data[:3])
        upload.write(data[3:])
        return store.add(upload, name=name, configuration="{}")


def test_a_model_comes_back_byte_for_byte(store):
    record = add(store, b"weights")
    assert record.digest == hashlib.sha256(b"weights").digest()
    assert (record.size_bytes, store.read(record.digest)) == (7, b"weights")


def test_the_same_model_again_keeps_its_first_name(store):
    first = add(store, b"weights", "one")
    assert add(store, b"weights", "two") == first
    assert store.listed() == [first]


def test_what_was_not_added_leaves_no_file(store, tmp_path):
    with store.incoming() as upload:
        upload.write(b"half")
        assert upload.path.read_bytes() == b"half"
    assert list((tmp_path / "models").iterdir()) == []


def test_what_a_crash_left_half_is_cleared_away(store, database, tmp_path):
    (tmp_path / "models" / "x.part").write_bytes(b"half")
    ModelStore(database, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_damaged_or_lost_file_is_named_and_mended_by_a_second_push(store, tmp_path):
    record = add(store, b"weights")
    (path,) = (tmp_path / "models").iterdir()
    path.write_bytes(b"weightz")
    with pytest.raises(DataDamaged, match=record.digest.hex()):
        store.read(record.digest)
    path.unlink()
    with pytest.raises(DataDamaged, match=record.digest.hex()):
        store.read(record.digest)
    add(store, b"weights")
    assert store.read(record.digest) == b"weights"


def test_a_damaged_row_is_set_aside_and_mended_by_a_second_push(store, database):
    add(store, b"first")
    other = add(store, b"second")
    with database._writing() as connection:
        connection.execute(text("UPDATE models SET name = 'x' WHERE size_bytes = 5"))
    assert store.listed() == [other]
    add(store, b"first")
    assert len(store.listed()) == 2
