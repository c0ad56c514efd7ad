"""Binary codes as an index stores them."""

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import code_size_bytes


def stored_size_bytes(bits: int) -> int:
    """Return the length of a stored code: 4 or 8 bytes, or the next multiple of 8.

    FAISS has fast Hamming kernels for these lengths only (`python -m benchmarks index-search` times
    them). Zero bytes on both sides add nothing to a distance.
    """
    size = code_size_bytes(bits)
    return 4 if size <= 4 else (size + 7) // 8 * 8


def padded_codes(rows: NDArray[np.uint8], stored_size: int) -> NDArray[np.uint8]:
    """Return rows as C-contiguous (n, stored_size) uint8, zeros at the end of each."""
    if rows.shape[1] == stored_size:
        return np.ascontiguousarray(rows)
    padded = np.zeros((rows.shape[0], stored_size), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return padded
