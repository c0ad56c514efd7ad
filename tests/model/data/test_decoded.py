"""What was decoded once is read from its file, as long as it fits and is whole."""

import shutil
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cipherlens.crypto import CipherParameters
from cipherlens.model.data import decoded
from cipherlens.model.data.data_spec import load_data, parse_data_spec
from cipherlens.model.data.decoded import load_decoded
from cipherlens.model.data.images import PreparedImages


@pytest.fixture
def mine(folder: Path, tmp_path: Path) -> Path:
    """A folder of pictures that a test may change, one of them damaged."""
    shutil.copytree(folder, tmp_path / "mine")
    (tmp_path / "mine" / "red" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "mine"


class Loading:
    """Loads the pictures of a folder, and counts how many were decoded."""

    def __init__(self, folder: Path, cache: Path, parameters: CipherParameters) -> None:
        self.spec = parse_data_spec(str(folder))
        self.cache, self.parameters, self.decoded = cache, parameters, 0

    def __call__(self) -> PreparedImages:
        self.decoded = 0
        return load_decoded(self.spec, self.parameters, self.cache, self._count)

    def _count(self, _done: int, _total: int) -> None:
        self.decoded += 1


@pytest.fixture
def loading(mine: Path, tmp_path: Path, parameters: CipherParameters) -> Loading:
    return Loading(mine, tmp_path / "cache", parameters)


def same(one: PreparedImages, other: PreparedImages) -> None:
    assert one.digest() == other.digest()
    assert (one.names, one.skipped, one.class_names) == (
        other.names,
        other.skipped,
        other.class_names,
    )
    assert one.labels.dtype == other.labels.dtype == np.int64


def test_pictures_are_decoded_once(loading: Loading, parameters: CipherParameters) -> None:
    expected = load_data(loading.spec, parameters)
    assert {image.shape for image in expected.images} == {(16, 24, 3), (24, 16, 3)}
    assert len(expected.skipped) == 1
    same(loading(), expected)
    assert loading.decoded == 31
    same(loading(), expected)
    assert loading.decoded == 0


def test_marks_of_what_is_held_out_are_kept(
    loading: Loading, parameters: CipherParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks = np.arange(30) % 3 == 0
    marked = replace(load_data(loading.spec, parameters), held_out=marks)
    monkeypatch.setattr(decoded, "load_data", lambda *_arguments: marked)
    for _ in range(2):
        found = loading()
        assert found.held_out is not None
        assert found.held_out.tolist() == marks.tolist()


def test_another_file_or_size_is_decoded_anew(loading: Loading, mine: Path) -> None:
    loading()
    (mine / "red" / "0.png").write_bytes((mine / "blue" / "0.png").read_bytes())
    changed = loading()
    assert loading.decoded == 31
    assert (changed.images[20] == changed.images[0]).all()
    loading.parameters = CipherParameters(height=8, width=16, substituted_blocks=0)
    assert loading().height == 8
    assert loading.decoded == 31


@pytest.mark.parametrize("damage", [b"", b"CL", b"CLPX" + bytes(10), b"?" * 5000])
def test_a_damaged_file_is_written_again(loading: Loading, damage: bytes) -> None:
    expected = loading()
    (path,) = loading.cache.iterdir()
    path.unlink()  # another file: what is mapped stays
    path.write_bytes(damage)
    same(loading(), expected)
    assert loading.decoded == 31
    loading()
    assert loading.decoded == 0


def test_a_changed_pixel_is_noticed(loading: Loading) -> None:
    expected = loading()
    (path,) = loading.cache.iterdir()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.unlink()
    path.write_bytes(bytes(data))
    same(loading(), expected)
    assert loading.decoded == 31


def test_plain_pictures_are_their_owners_alone(loading: Loading) -> None:
    loading()
    (path,) = loading.cache.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
