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


def check_codes(field: str, codes: Codes, bits: int) -> None:
    """Pass if codes are packed codes of `bits` bits.

    Raises:
        TypeError: if codes is no uint8 array.
        ValueError: if its shape is not (n, ceil(bits / 8)) or an unused bit is set.
    """
    if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
        raise TypeError(f"{field} must be an array of uint8")
    width = -(-bits // 8)
    if codes.ndim != 2 or codes.shape[1] != width:
        raise ValueError(
            f"{field} of {bits} bits must have the shape (n, {width}), got {codes.shape}"
        )
    if bits % 8 and (codes[:, -1] >> bits % 8).any():
        raise ValueError(f"{field} must be zero beyond bit {bits - 1}")
