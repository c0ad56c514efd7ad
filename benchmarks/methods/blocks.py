"""Pictures as blocks, in raster order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def blocks_of(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the blocks, (n, blocks, side * side, channels), of (n, h, w, channels).

    Raises:
        ValueError: if `side` does not divide the height and the width.
    """
    count, height, width, channels = pixels.shape
    if height % side or width % side:
        raise ValueError(f"side must divide height and width, got {side} for {height}x{width}")
    shape = (count, height // side, side, width // side, side, channels)
    return pixels.reshape(shape).swapaxes(2, 3).reshape(count, -1, side * side, channels)


def padded(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """Return (n, h, w, channels) with the last row and column repeated until `side` divides."""
    _, height, width, _ = pixels.shape
    return np.pad(pixels, ((0, 0), (0, -height % side), (0, -width % side), (0, 0)), mode="edge")
