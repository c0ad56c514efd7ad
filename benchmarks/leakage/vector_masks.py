"""The mask of a collection's vectors, from vectors known beside what became of them.

The attacker holds k pairs. The mask is one orthogonal map for all, so that least squares give what
it does to all that k vectors span; of the rest he knows nothing and says nothing. d vectors that
span all d dimensions give the whole map.
"""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

_CUT = 1e-4
"""Directions in which pairs say less than that share of what they say at most are rounding."""


def solve_map(plain: Rows, masked: Rows) -> NDArray[np.float64]:
    """Return the (d, d) map that takes (k, d) plain vectors to their masked ones."""
    found, *_ = np.linalg.lstsq(plain.astype(np.float64), masked.astype(np.float64), rcond=_CUT)
    solved: NDArray[np.float64] = found
    return solved


def rotation_between(plain: Rows, masked: Rows) -> NDArray[np.float64]:
    """Return the orthogonal map that takes plain vectors nearest to masked ones (Procrustes).

    The pairs need not all be true ones.
    """
    left, _, right = np.linalg.svd(plain.astype(np.float64).T @ masked)
    rotation: NDArray[np.float64] = left @ right
    return rotation
