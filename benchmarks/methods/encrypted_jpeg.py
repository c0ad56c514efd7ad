"""JPEG files and their quantised coefficients: what schemes in the JPEG domain encrypt and read.

Files are whole ones, with entropy-coded segments under the standard's Huffman tables, so that
their sizes are real. All three components are sampled alike (4:4:4), so that all have the same
blocks.
"""

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import TypeAlias

import jpeglib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cipherlens.model.data.encryption import Pixels

Files: TypeAlias = NDArray[np.object_]
"""(n,) files, each as its bytes."""

Coefficients: TypeAlias = NDArray[np.int16]
"""(n, 3, blocks, 64) quantised coefficients of Y, Cb and Cr: blocks in raster order, each in zigzag
order with its DC coefficient first."""

SIDE = 8


def _zigzag() -> NDArray[np.intp]:
    """Return the raster positions of a block's coefficients in zigzag order."""
    places = [(row, column) for row in range(SIDE) for column in range(SIDE)]
    places.sort(key=lambda place: (sum(place), place[sum(place) % 2 == 0]))
    return np.array([row * SIDE + column for row, column in places])


ZIGZAG = _zigzag()


def compressed(pixels: Pixels, quality: int) -> Files:
    """Return the pictures, (n, h, w, 3), as JPEG files of a quality from 1 to 100."""
    return _files([_file(each, quality) for each in pixels])


def coefficients(files: Files) -> Coefficients:
    """Return what files of pictures of one size hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "read.jpg"
        return np.stack([_read(file, path) for file in files])


def rewritten(changed: Coefficients, height: int, width: int, quality: int) -> Files:
    """Return files with these coefficients and the quantisation tables of a quality.

    Each DC coefficient must be within 2,047 of the one before it, and each other within 1,023.

    Raises:
        OSError: if one is not: no Huffman code is long enough.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "write.jpg"
        return _files([_written(each, height, width, quality, path) for each in changed])


@cache
def quantisation(quality: int) -> NDArray[np.uint16]:
    """Return a quality's quantisation tables of Y and of Cb and Cr, (2, 8, 8)."""
    plain = _file(np.zeros((SIDE, SIDE, 3), np.uint8), quality)
    tables = Image.open(io.BytesIO(plain)).quantization  # type: ignore[attr-defined]
    return np.array([tables[0], tables[1]], np.uint16).reshape(2, SIDE, SIDE)


def _files(files: list[bytes]) -> Files:
    held = np.empty(len(files), np.object_)
    held[:] = files
    return held


def _file(pixels: Pixels, quality: int) -> bytes:
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=quality, subsampling=0)
    return held.getvalue()


def _read(file: bytes, path: Path) -> Coefficients:
    path.write_bytes(file)
    held = jpeglib.read_dct(str(path))
    planes = np.stack([held.Y, held.Cb, held.Cr])
    read: Coefficients = planes.reshape(3, -1, SIDE * SIDE)[:, :, ZIGZAG]
    return read


def _written(each: Coefficients, height: int, width: int, quality: int, path: Path) -> bytes:
    planes = np.empty(each.shape, np.int16)  # laid out in C order, whatever the given one's is
    planes[:, :, ZIGZAG] = each
    y, cb, cr = planes.reshape(3, height // SIDE, width // SIDE, SIDE, SIDE)
    held = jpeglib.from_dct(Y=y, Cb=cb, Cr=cr, qt=quantisation(quality))
    held.write_dct(str(path))
    return path.read_bytes()
