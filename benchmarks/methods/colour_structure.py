"""MPEG-7's colour structure descriptor: in how many windows of 8x8 each of the colours stands.

As Messing, van Beek and Errico (ICIP 2001) describe what became ISO/IEC 15938-3: colours are cells
of the HMMD space, and the share of windows with a colour is quantised to eight bits, finer where it
is small.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.data.encryption import Pixels

CELLS: Mapping[int, tuple[tuple[int, int], ...]] = {
    256: ((1, 32), (4, 8), (16, 4), (16, 4), (16, 4)),
    128: ((1, 16), (4, 4), (8, 4), (8, 4), (8, 4)),
    64: ((1, 8), (4, 4), (4, 4), (8, 2), (8, 1)),
}
"""Levels of hue and of sum in each range of the difference, by the number of colours."""

_DIFFERENCES = (6, 20, 60, 110)
_SHARES = (0.0, 1e-9, 0.037, 0.08, 0.195, 0.32, 1.0)
_LEVELS = (1, 25, 20, 35, 35, 140)
"""So many of the 256 levels lie between a share and the next."""

_WORD = 64


def colour_structure(pixels: Pixels, cells: int) -> NDArray[np.float64]:
    """Return the levels, (n, cells), whole numbers from 0 to 255, of (n, h, w, 3) pictures.

    Larger pictures are thinned out to about 256x256 places, the windows with them.
    """
    _, height, width, _ = pixels.shape
    step = 2 ** max(0, round(np.log2(height * width) / 2 - 8))
    found = colour_cells(pixels[:, ::step, ::step], cells)
    return quantised(np.stack([_window_shares(each, cells) for each in found]))


def colour_cells(pixels: Pixels, cells: int) -> NDArray[np.int64]:
    """Return the colour of each pixel, (n, h, w), below `cells`."""
    hue, sums, differences = _hmmd(pixels)
    subspace = np.searchsorted(_DIFFERENCES, differences, side="right")
    levels = np.array(CELLS[cells])
    first = np.concatenate([[0], np.cumsum(levels.prod(axis=1))])[:-1]
    hues, values = levels[subspace, 0], levels[subspace, 1]
    by_hue = np.minimum(hue * hues // 360, hues - 1).astype(np.int64)
    # Cells divide all of 0 to 255, though with a difference d sums lie from d / 2 to 255 - d / 2.
    by_sum = np.minimum(sums * values // 256, values - 1).astype(np.int64)
    found: NDArray[np.int64] = first[subspace] + by_hue * values + by_sum
    return found


def quantised(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the level of each share of the windows."""
    part = np.clip(np.searchsorted(_SHARES, shares, side="right") - 1, 0, len(_LEVELS) - 1)
    first = np.concatenate([[0], np.cumsum(_LEVELS)])[:-1]
    low, high = np.array(_SHARES)[part], np.array(_SHARES)[part + 1]
    levels = np.array(_LEVELS)[part]
    within = np.minimum((shares - low) / (high - low) * levels // 1, levels - 1)
    found: NDArray[np.float64] = first[part] + within
    return found


def _hmmd(
    pixels: Pixels,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return hue from 0 to 360, half the sum of largest and smallest, and their difference."""
    red, green, blue = np.moveaxis(pixels.astype(np.int64), -1, 0)
    largest, smallest = pixels.max(axis=-1).astype(np.int64), pixels.min(axis=-1).astype(np.int64)
    difference = largest - smallest
    some = np.maximum(difference, 1)
    sixths = np.select(
        [largest == red, largest == green],
        [(green - blue) / some % 6, (blue - red) / some + 2],
        (red - green) / some + 4,
    )
    hue = np.where(difference > 0, sixths * 60, 0.0)
    return hue, (largest + smallest) / 2, difference


def _window_shares(colours: NDArray[np.int64], cells: int) -> NDArray[np.float64]:
    """Return in which share of all windows of 8x8 each colour of (h, w) stands, (cells,)."""
    words = np.arange(-(-cells // _WORD))
    # A bit for each colour: a window's colours are the bits that any of its pixels has.
    bits = np.where(
        colours // _WORD == words[:, None, None],
        np.uint64(1) << (colours % _WORD).astype(np.uint64),
        np.uint64(0),
    )
    for step in (1, 2, 4):
        bits = bits[:, step:] | bits[:, :-step]
        bits = bits[:, :, step:] | bits[:, :, :-step]
    held = np.ascontiguousarray(bits).astype("<u8").view(np.uint8)
    spread = np.unpackbits(held.reshape(len(words), -1, 8), axis=2, bitorder="little")
    found: NDArray[np.float64] = spread.mean(axis=1, dtype=np.float64).ravel()[:cells]
    return found
