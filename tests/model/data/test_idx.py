import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from cipherlens.model.data import idx
from cipherlens.model.data.idx import read_idx
from cipherlens.model.errors import DataError

VALUES = bytes(range(24))
HEADER = b"\0\0\x08\x03" + struct.pack(">3I", 2, 3, 4)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data))
    return path


def test_the_last_dimension_varies_fastest(tmp_path: Path) -> None:
    values = read_idx(written(tmp_path / "x.gz", HEADER + VALUES), 3)
    assert values.dtype == np.uint8
    assert np.array_equal(values, np.arange(24).reshape(2, 3, 4))
    labels = read_idx(written(tmp_path / "y.gz", b"\0\0\x08\x01\0\0\0\x02\x05\x07"), 1)
    assert labels.tolist() == [5, 7]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no IDX file of unsigned bytes in 3 dimensions: it begins with $"),
        (b"\0\0\x0d\x03" + HEADER[4:] + VALUES, "it begins with 00000d03"),  # float values
        (b"\0\0\x08\x01" + HEADER[4:] + VALUES, "it begins with 00000801"),  # one dimension
        (b"\x89PNG" + VALUES, "it begins with 89504e47"),
        (HEADER[:9], "cut short within its header"),
        (HEADER + VALUES[:-1], "must have 24 bytes of values as its header says, got 23"),
        (HEADER + VALUES + b"\0", "must have 24 bytes of values as its header says, got more"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "declares .* values, the limit is 1073741824"),
    ],
)
def test_files_that_hold_something_else(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_idx(written(tmp_path / "x.gz", data), 3)


def test_files_that_are_no_sound_gzip(tmp_path: Path) -> None:
    sound = gzip.compress(HEADER + VALUES)
    flipped = bytearray(sound)
    flipped[-6] ^= 1  # in the checksum
    for data in (
        HEADER + VALUES,
        sound[:-9],
        sound[:12],
        bytes(flipped),
        sound[:10] + b"\xff" * 40,
    ):
        path = tmp_path / "x.gz"
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"x\.gz is no sound gzip file"):
            read_idx(path, 3)


def test_a_file_that_declares_little_and_holds_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more is unpacked than the header declares."""
    path = written(tmp_path / "x.gz", HEADER + bytes(10**6))
    sizes: list[int] = []
    real = gzip.GzipFile.read

    def counting(file: gzip.GzipFile, size: int = -1) -> bytes:
        data = real(file, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(idx.gzip.GzipFile, "read", counting)
    with pytest.raises(DataError, match="got more"):
        read_idx(path, 3)
    assert sizes == [16, 25]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "none.gz", 3)
