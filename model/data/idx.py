"""Gzipped IDX files, the format of MNIST and of the data sets that took its place."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.errors import DataError

MAX_BYTES = 2**30
UNSIGNED_BYTES = 8


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the unsigned bytes of a gzipped IDX file as an array of that many dimensions.

    Two zero bytes, the type, the number of dimensions, each one's size as big-endian uint32, and
    then the values, the last dimension varying fastest.

    Raises:
        DataError: if the file is damaged, holds something else or more than MAX_BYTES.
        OSError: if it cannot be read.
    """
    try:
        with gzip.open(path) as file:
            head = file.read(4 + 4 * dimensions)
            shape = _shape(path, head, dimensions)
            size = math.prod(shape)
            data = file.read(size + 1)  # one byte more would show that the file is longer
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path} is no sound gzip file: {error}") from error
    if len(data) != size:
        found = "more" if len(data) > size else f"{len(data)}"
        raise DataError(f"{path} must have {size} bytes of values as its header says, got {found}")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def _shape(path: Path, head: bytes, dimensions: int) -> tuple[int, ...]:
    """Return the sizes in an IDX header.

    Raises:
        DataError: if it is no header of unsigned bytes in that many dimensions, or of too many.
    """
    if head[:4] != bytes([0, 0, UNSIGNED_BYTES, dimensions]):
        raise DataError(
            f"{path} is no IDX file of unsigned bytes in {dimensions} dimensions: "
            f"it begins with {head[:4].hex()}"
        )
    if len(head) < 4 + 4 * dimensions:
        raise DataError(f"{path} is cut short within its header")
    shape = struct.unpack_from(f">{dimensions}I", head, 4)
    if math.prod(shape) > MAX_BYTES:
        raise DataError(f"{path} declares {math.prod(shape)} values, the limit is {MAX_BYTES}")
    return shape
