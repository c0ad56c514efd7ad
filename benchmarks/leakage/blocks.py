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
    numbers = blocks.reshape(*blocks.shape[:-2], -1).astype(np.uint64) + np.uint64(1)
    marks: Marks = numbers @ _weights(numbers.shape[-1])
    return marks


def equality_marks(blocks: Pixels) -> Marks:
    """Return a number for every block, (...,), that neither permutation nor colour tables change.

    It says which pixels of a block, (..., pixels, 3), have equal values in a channel: tables are
    one to one. It is the sum, over the groups of equal pixels, of a weight of the first of them
    times the weights of all of them.
    """
    rows = np.swapaxes(blocks, -1, -2).reshape(-1, blocks.shape[-2])
    count, pixels = rows.shape
    numbers = np.arange(pixels, dtype=np.uint32)
    values, places = np.divmod(np.sort(rows * np.uint32(pixels) + numbers, axis=1), pixels)
    begins = np.ones(values.shape, dtype=bool)
    begins[:, 1:] = values[:, 1:] != values[:, :-1]
    groups = np.flatnonzero(begins)
    of_all, of_first = _weights(2 * pixels).reshape(2, pixels)
    sums = np.add.reduceat(of_all[places].ravel(), groups) * of_first[places.ravel()[groups]]
    by_row = np.add.reduceat(sums, np.searchsorted(groups, np.arange(count) * pixels))
    marks: Marks = by_row.reshape(*blocks.shape[:-2], CHANNELS) @ _weights(CHANNELS)
    return marks


def _weights(count: int) -> Marks:
    """Return random odd numbers: sums of them, modulo 2^64, are hardly ever equal by chance."""
    drawn = np.random.default_rng(0).integers(0, 2**64, count, dtype=np.uint64)
    odd: Marks = drawn | np.uint64(1)
    return odd
