"""Keys of rows in an engine: the sequence of what wrote the row, and a check of its numbers.

A key says all that repair has to know. A row that the database does not have at that sequence, as
after it was restored and went another way, has another key; of rows with the same sequence and
other numbers one in 16 million would be taken for the same.
"""

from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

_CHECK_BITS = 24
_LAST_SEQUENCE = 2 ** (63 - _CHECK_BITS) - 1

NO_KEYS: NDArray[np.int64] = np.empty(0, np.int64)


def keys_of(sequences: NDArray[np.int64], rows: NDArray[Any]) -> NDArray[np.int64]:
    """Return the key of each row, (n,) int64, in the order of their sequences.

    Raises:
        ValueError: a sequence is below 1 or above 2^39 - 1.
    """
    if len(sequences) and not 0 < sequences.min() <= sequences.max() <= _LAST_SEQUENCE:
        raise ValueError(f"sequences must lie in 1..{_LAST_SEQUENCE}, got {sequences}")
    checks = np.fromiter((crc32(row) for row in np.ascontiguousarray(rows)), np.int64, len(rows))
    return sequences << _CHECK_BITS | checks >> 32 - _CHECK_BITS


def sequence_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sequence in each key."""
    return keys >> _CHECK_BITS


def positions_of(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each wanted key stands among ascending keys, -1 where it does not."""
    if not len(keys):
        return np.full(wanted.shape, -1, np.int64)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)


def are_in(keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the wanted keys stand among ascending keys."""
    return positions_of(keys, wanted) >= 0
