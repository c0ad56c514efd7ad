import hashlib

import pytest
from sqlalchemy import text

from cipherlens.server.errors import DataDamaged, NotFound
from cipherlens.server.locks import ANY_CALL
from cipherlens.server.storage import ModelStore, model_files
from cipherlens.server.storage.model_pieces import ModelPieces


@pytest.fixture
def store(database, tmp_path):
    return ModelStore(database, tmp_path / "models")


def add(store, data, name="m"):
    with store.incoming() as upload:
        upload.write(data[:3])
        upload.write(data[3:])
        adding = store.adding(upload, name=name, configuration="{}", call=ANY_CALL)
        with adding as (_, record):
            return record


def add_in_vain(store, data):
    with store.incoming() as upload:
        upload.write(data)
        with store.adding(upload, name="m", configuration="{}", call=ANY_CALL):
            raise KeyError


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


def test_what_a_crash_left_half_is_cleared_away(store, tmp_path):
    (tmp_path / "models" / "x.part").write_bytes(b"half")
    store.clear_away()
    assert list((tmp_path / "models").iterdir()) == []


def test_a_model_whose_transaction_fails_leaves_nothing(store, tmp_path):
    with pytest.raises(KeyError):
        add_in_vain(store, b"weights")
    assert list((tmp_path / "models").iterdir()) == []
    assert store.listed() == []


def test_one_that_was_there_stays_when_it_is_pushed_again_in_vain(store):
    record = add(store, b"weights")
    with pytest.raises(KeyError):
        add_in_vain(store, b"weights")
    assert store.read(record.digest) == b"weights"
    assert store.listed() == [record]


def test_a_model_that_is_removed_leaves_nothing(store, tmp_path):
    record, other = add(store, b"weights"), add(store, b"others")
    store.remove(record.digest, ANY_CALL)
    assert store.listed() == [other]
    assert [path.stem for path in (tmp_path / "models").iterdir()] == [other.digest.hex()]
    with pytest.raises(NotFound, match=record.digest.hex()):
        store.remove(record.digest, ANY_CALL)


def test_a_file_that_no_row_speaks_of_goes_at_the_next_start(store, database, tmp_path):
    record = add(store, b"weights")
    stray = tmp_path / "models" / f"{'ab' * 32}.safetensors"
    stray.write_bytes(b"from a crash")
    with database._writing() as connection:
        connection.execute(text("UPDATE models SET name = 'x'"))
    store.clear_away()
    assert stray.exists()  # a damaged row may speak of it
    add(store, b"weights")
    store.clear_away()
    assert not stray.exists()
    assert store.read(record.digest) == b"weights"


def test_a_damaged_or_lost_file_is_named_and_mended_by_a_second_push(store, database, tmp_path):
    record = add(store, b"weights")
    if database.holds_models:
        with database.write() as transaction:
            transaction.model_pieces.put(record.digest, 0, b"weightz")
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


@pytest.fixture
def elsewhere(database, tmp_path):
    """The models of the same database in the folder of another machine."""
    return ModelStore(database, tmp_path / "elsewhere")


@pytest.mark.parametrize("dialect", ["postgres"])
def test_a_model_comes_to_other_machines_by_the_database(store, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr(model_files, "PIECE_BYTES", 3)
    record = add(store, b"weights")
    assert elsewhere.read(record.digest) == b"weights"
    (kept,) = (tmp_path / "elsewhere").iterdir()
    assert kept.read_bytes() == b"weights"
    kept.write_bytes(b"weighty")
    assert elsewhere.read(record.digest) == b"weights"
    assert kept.read_bytes() == b"weights"
    store.remove(record.digest, ANY_CALL)
    kept.unlink()
    with pytest.raises(DataDamaged, match="cannot be read"):
        elsewhere.read(record.digest)


@pytest.mark.parametrize("dialect", ["postgres"])
def test_what_the_database_lacks_is_taken_from_the_files(store, elsewhere, database):
    one, two = add(store, b"weights"), add(store, b"others")
    with database.write() as transaction:
        transaction.model_pieces.remove(one.digest)
        transaction.model_pieces.put(two.digest, 0, b"oth")  # as a kill has left it
        transaction.model_pieces.put(b"x" * 32, 0, b"of no model")
    with pytest.raises(DataDamaged):
        elsewhere.read(one.digest)
    store.take_in()
    assert [elsewhere.read(each.digest) for each in (one, two)] == [b"weights", b"others"]
    with database.read() as transaction:
        assert transaction.model_pieces.sizes() == {one.digest: 7, two.digest: 6}


def test_a_push_that_is_cut_short_takes_nothing_of_one_that_was_there(
    store, database, tmp_path, monkeypatch
):
    if not database.holds_models:
        pytest.skip("models are files here")
    monkeypatch.setattr(model_files, "PIECE_BYTES", 3)
    record = add(store, b"weights")

    def cut(_pieces, _digest, number, _data):
        raise KeyError(number)

    monkeypatch.setattr(ModelPieces, "put", cut)
    add(store, b"weights")
    with pytest.raises(KeyError):
        add(store, b"others")
    with database.read() as transaction:
        assert b"".join(transaction.model_pieces.of(record.digest)) == b"weights"
