"""Pictures as blocks, and the marks of a block that no key changes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Marks = NDArray[np.uint64]

CHANNELS = 3


def blocks_of(pixels: Pixels, block_size: int) -> Pixels:
    """Return (n, blknum, P * P, 3) blocks in raster order of (n, h, w, 3) pictures."""
    count, height, width, _ = pixels.shape
    down, across = height // block_size, width // block_size
    cut = pixels.reshape(count, down, block_size, across, block_size, CHANNELS)
    return cut.transpose(0, 1, 3, 2, 4, 5).reshape(count, down * across, -1, CHANNELS)


def pictures_of(blocks: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Return the (n, height, width, 3) pictures that `blocks_of` cut."""
    count, _, size, _ = blocks.shape
    side = round(size**0.5)
    rows = blocks.reshape(count, height // side, width // side, side, side, CHANNELS)
    return rows.transpose(0, 1, 3, 2, 4, 5).reshape(count, height, width, CHANNELS)


def byte_marks(blocks: Pixels) -> Marks:
    """Return a number for every block, (...,), that is the same for blocks of the same bytes."""
    return _digests(blocks)


def equality_marks(blocks: Pixels) -> Marks:
    """Return a number for every block, (...,), that neither permutation nor colour tables change.

    It says which pixels of a block, (..., pixels, 3), have equal values in a channel: tables are
    one to one.
    """
    return _digests(first_places(blocks))


def first_places(blocks: Pixels) -> NDArray[np.intp]:
    """Return for every value of (..., pixels, 3) where its block's channel has it first."""
    order = np.argsort(blocks, axis=-2, kind="stable")
    values = np.take_along_axis(blocks, order, axis=-2)
    begins = np.ones(values.shape, dtype=bool)
    begins[..., 1:, :] = values[..., 1:, :] != values[..., :-1, :]
    steps = np.arange(values.shape[-2])[:, None]
    begin = np.maximum.accumulate(np.where(begins, steps, 0), axis=-2)
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.take_along_axis(order, begin, axis=-2), axis=-2)
    return places


def _digests(rows: NDArray[Any]) -> Marks:
    """Return sums of (..., pixels, 3) numbers with random odd weights, modulo 2^64.

    Different rows have the same sum with a chance of some 2^-56.
    """
    length = rows.shape[-2] * rows.shape[-1]
    drawn = np.random.default_rng(0).integers(0, 2**64, length, dtype=np.uint64)
    numbers = rows.reshape(*rows.shape[:-2], length).astype(np.uint64)
    sums: Marks = (numbers + np.uint64(1)) @ (drawn | np.uint64(1))
    return sums
