"""Binary codes as they go over the wire: activations to packed bits."""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
"""(n, ceil(bits / 8)): bit i of a code is bit i mod 8 of byte i // 8, unused bits are zero."""


def binarise(activations: NDArray[np.floating], threshold: float = 0.5) -> Codes:
    """Return the packed codes of (n, bits) activations: bit i is 1 where ap_i >= th (DLHEIR eq. 7).

    Raises:
        ValueError: if activations has another number of axes or holds NaN.
    """
    if activations.ndim != 2:
        raise ValueError(f"activations must have the shape (n, bits), got {activations.shape}")
    if np.isnan(activations).any():
        raise ValueError("activations must be numbers, got NaN")
    return np.packbits(activations >= threshold, axis=1, bitorder="little")
