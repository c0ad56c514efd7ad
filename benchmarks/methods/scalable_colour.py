"""MPEG-7's scalable colour descriptor: a histogram of 256 colours, Haar-transformed.

As ISO/IEC 15938-3 has it: 16 hues, 4 saturations and 4 values; counts go by a curve to four bits,
finer where they are small; sums and differences of neighbours, of hues, saturations, values and
hues again, leave 16 sums and 240 differences. The curve here is the square root, for the standard's
table, which is much like it.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cipherlens.model.data.encryption import Pixels

HUES, SATURATIONS, VALUES = 16, 4, 4
COLOURS = HUES * SATURATIONS * VALUES
_LARGEST = 15


def scalable_colour(pixels: Pixels) -> NDArray[np.float64]:
    """Return the coefficients, (n, 256) whole numbers, of (n, h, w, 3) pictures: sums first."""
    return haar(np.stack([_histogram(each) for each in pixels]))


def haar(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 16 sums and the differences, (n, 256), of (n, hues, saturations, values)."""
    held, differences = counts, []
    for axis in (1, 2, 3, 1):
        even = np.take(held, np.arange(0, held.shape[axis], 2), axis)
        odd = np.take(held, np.arange(1, held.shape[axis], 2), axis)
        differences.append((even - odd).reshape(len(counts), -1))
        held = even + odd
    return np.concatenate([held.reshape(len(counts), -1), *reversed(differences)], axis=1)


def _histogram(pixels: Pixels) -> NDArray[np.float64]:
    """Return the four-bit counts, (hues, saturations, values), of one picture."""
    hsv = np.asarray(Image.fromarray(pixels).convert("HSV")).astype(np.int64)
    levels = hsv * (HUES, SATURATIONS, VALUES) // 256
    colours = np.ravel_multi_index(np.moveaxis(levels, -1, 0), (HUES, SATURATIONS, VALUES))
    shares = np.bincount(colours.ravel(), minlength=COLOURS) / colours.size
    found: NDArray[np.float64] = np.rint(np.sqrt(shares) * _LARGEST)
    return found.reshape(HUES, SATURATIONS, VALUES)
