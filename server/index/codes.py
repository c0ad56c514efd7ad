"""Binary codes as they travel, and as an index stores them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

MINIMUM_BITS = 8
MAXIMUM_BITS = 1024


def check_bits(bits: int) -> None:
    """Raise ValueError unless codes of this many bits can be indexed."""
    if not (MINIMUM_BITS <= bits <= MAXIMUM_BITS and bits % 4 == 0):
        raise ValueError(
            f"bits must be a multiple of 4 from {MINIMUM_BITS} to {MAXIMUM_BITS}, got {bits}"
        )


def code_size_bytes(bits: int) -> int:
    """Return the length of a code on the wire."""
    return (bits + 7) // 8


def stored_size_bytes(bits: int) -> int:
    """Return the length of a stored code: 4 or 8 bytes, or the next multiple of 8.

    FAISS has fast Hamming kernels for these lengths only (10,000 codes of 48 bits: 41 us as six
    bytes, 16 us as eight). Zero bytes on both sides add nothing to a distance.
    """
    size = code_size_bytes(bits)
    return 4 if size <= 4 else (size + 7) // 8 * 8


def check_codes(rows: NDArray[Any], bits: int) -> None:
    """Raise unless rows are codes as they travel.

    Bit i of a code is bit (i mod 8) of byte i // 8; the bits past the last one are zero.

    Args:
        rows: (n, ceil(bits / 8)) uint8.

    Raises:
        TypeError: rows are not uint8.
        ValueError: another shape, or a row with an unused bit set; the text names the row.
    """
    if rows.dtype != np.uint8:
        raise TypeError(f"codes must be uint8, got {rows.dtype}")
    size = code_size_bytes(bits)
    if rows.ndim != 2 or rows.shape[1] != size:
        raise ValueError(f"codes of {bits} bits must have shape (n, {size}), got {rows.shape}")
    used = bits % 8
    if used == 0:
        return
    spoiled = rows[:, -1] >> used
    if spoiled.any():
        row = int(np.flatnonzero(spoiled)[0])
        raise ValueError(f"code {row} has bits set beyond its {bits} bits")


def padded_codes(rows: NDArray[np.uint8], stored_size: int) -> NDArray[np.uint8]:
    """Return rows as C-contiguous (n, stored_size) uint8, zeros at the end of each."""
    if rows.shape[1] == stored_size:
        return np.ascontiguousarray(rows)
    padded = np.zeros((rows.shape[0], stored_size), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded
