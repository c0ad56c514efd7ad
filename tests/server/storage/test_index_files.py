import numpy as np
import pytest

from cipherlens.server.errors import DataDamaged, StorageFull
from cipherlens.server.storage import IndexFiles, Kept
from cipherlens.server.storage import index_files as module

ARRAYS = {
    "codes": np.arange(24, dtype=np.uint8).reshape(3, 8),
    "none": np.empty((0, 5), np.float32),
    "alive": np.array([True, False, True]),
    "apart": np.arange(20, dtype="<i8")[::2],
}
FACTS = {"sequence": 7, "text": "ä", "list": [1.5, None, True]}


@pytest.fixture
def files(tmp_path):
    return IndexFiles(tmp_path / "indexes")


@pytest.fixture
def path(files, tmp_path):
    files.write("a", Kept(FACTS, ARRAYS))
    return tmp_path / "indexes" / "a.index"


def test_what_is_kept_comes_back(files, path):
    kept = files.read("a")
    assert kept.facts == FACTS
    for name, array in ARRAYS.items():
        assert kept.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(kept.arrays[name], array)
        assert not kept.arrays[name].flags.writeable
        assert kept.arrays[name].ctypes.data % 64 == 0
    assert (files.names(), files.read("b")) == (["a"], None)


def test_it_is_replaced_as_a_whole_and_what_was_read_stays(files, path):
    before = files.read("a")
    files.write("a", Kept({}, {"codes": np.ones(3, np.uint8)}))
    assert files.read("a").arrays["codes"].tolist() == [1, 1, 1]
    files.remove("a")
    files.remove("a")
    assert files.read("a") is None
    np.testing.assert_array_equal(before.arrays["codes"], ARRAYS["codes"])


@pytest.mark.parametrize("place", [0, 8, 12, 20, 40, 63, 64, 70, 500, -1])
def test_any_byte_that_changed_is_found(files, path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataDamaged, match="index file a"):
        files.read("a")


@pytest.mark.parametrize("size", [0, 5, 64, 100, -1])
def test_a_file_that_is_cut_off_is_found(files, path, size):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataDamaged):
        files.read("a")


def test_a_folder_in_its_place_is_told(files, path):
    path.unlink()
    path.mkdir()
    with pytest.raises(DataDamaged, match="cannot be read"):
        files.read("a")


def test_what_a_crash_left_half_is_cleared_away(files, path):
    part = path.with_name(".0123.part")
    part.write_bytes(b"half")
    files.clear_away()
    assert [each.name for each in path.parent.iterdir()] == ["a.index"]


def test_a_write_that_fails_leaves_the_old_file(files, path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "replace_file", full)
    with pytest.raises(StorageFull):
        files.write("a", Kept({}, {}))
    assert files.read("a").facts == FACTS


@pytest.mark.parametrize(
    "head",
    [
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"facts": {}}',
        b'{"arrays": {"a": ["<f4", [1], 0]}}',
        b'{"facts": {}, "arrays": {"a": ["<f4", ["x"], 0]}}',
        b'{"facts": {}, "arrays": {"a": ["object", [1], 0]}}',
        b'{"facts": {}, "arrays": {"a": ["\\ud800", [1], 0]}}',
        b'{"facts": {}, "arrays": {"a": ["<f4", [1e300], 0]}}',
    ],
)
def test_a_head_that_is_none_of_ours_is_found_though_its_checksum_fits(files, path, head):
    beginning = module._BEGINNING.pack(module._MAGIC, module._VERSION, len(head))
    path.write_bytes(beginning + module._checksum(beginning, head) + head)
    with pytest.raises(DataDamaged, match="the index file a is not laid out as ours"):
        files.read("a")
