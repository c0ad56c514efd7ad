"""How well two blocks fit beside each other, and which blocks of a cipher-image are substituted.

The attacker holds one cipher-image, or several of one key, which tell it together. Plain blocks go
on across their common border as the gradients before it did (Mahalanobis gradient compatibility,
Gallagher 2012). In substituted blocks, which have one table in common, equal pixels on both sides
of a border are still equal. A plain and a substituted block say nothing of each other.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.leakage.blocks import Pixels

Costs = NDArray[np.float64]
"""(2, n, n): what it costs that block j stands to the right of block i, or below it."""

_UNRELATED = 1e6
_QUIET = 1e-6


def costs(pictures: Pixels, substituted: NDArray[np.bool_]) -> Costs:
    """Return the costs of all pairs of blocks of (k, n, P * P, 3) pictures of one order.

    Each picture has its say by its own scale, the mean of what related blocks cost in it.
    """
    return np.asarray(np.mean([_scaled(_of_one(each, substituted)) for each in pictures], axis=0))


def rough_blocks(pictures: Pixels, count: int) -> NDArray[np.bool_]:
    """Return which `count` of the n blocks look most as if a table had changed them.

    A table makes any two unequal pixels differ as if by chance; in pictures neighbours are near.
    """
    _, blocks, pixels, _ = pictures.shape
    side = round(pixels**0.5)
    square = pictures.reshape(-1, blocks, side, side, 3).astype(np.float64)
    total, unequal = np.zeros(blocks), np.zeros(blocks)
    for axis in (2, 3):
        steps = np.abs(np.diff(square, axis=axis))
        total += steps.sum(axis=(0, 2, 3, 4))
        unequal += (steps > 0).sum(axis=(0, 2, 3, 4))
    rough = np.zeros(blocks, dtype=bool)
    rough[np.argsort(-total / np.maximum(unequal, 1), kind="stable")[:count]] = True
    return rough


def _scaled(table: Costs) -> Costs:
    related = table < _UNRELATED
    scale = table[related].mean() if related.any() else 1.0
    return np.where(related, table / scale, table)


def _of_one(blocks: Pixels, substituted: NDArray[np.bool_]) -> Costs:
    side = round(blocks.shape[1] ** 0.5)
    square = blocks.reshape(len(blocks), side, side, 3)
    directions = (square, square.transpose(0, 2, 1, 3))
    found = np.stack([_beside(each, substituted) for each in directions])
    found[:, np.arange(len(blocks)), np.arange(len(blocks))] = np.inf  # none stands beside itself
    return found


def _beside(square: Pixels, substituted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the cost of each block (columns) to the right of each (rows)."""
    values = square.astype(np.float64)
    forth = _gradient_costs(values[:, :, -1], values[:, :, -2], values[:, :, 0])
    back = _gradient_costs(values[:, :, 0], values[:, :, 1], values[:, :, -1]).T
    plain = np.where(substituted, np.inf, 0)
    by_tables = np.where(substituted, 0, np.inf)
    smooth = forth + back + plain[:, None] + plain
    equal = _inequality(square) + by_tables[:, None] + by_tables
    return np.minimum(np.minimum(smooth, equal), _UNRELATED)


def _gradient_costs(
    last: NDArray[np.float64], before: NDArray[np.float64], first: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how unlike each block's own gradients (rows) those across to another one are."""
    own = last - before  # (n, side, 3)
    mean = own.mean(axis=1)
    centred = own - mean[:, None]
    spread = np.einsum("npc,npd->ncd", centred, centred) / own.shape[1] + np.eye(3)
    across = first[None] - last[:, None] - mean[:, None, None]  # (n, n, side, 3)
    found: NDArray[np.float64] = np.einsum(
        "nmpc,ncd,nmpd->nm", across, np.linalg.inv(spread), across, optimize=True
    )
    return found


def _inequality(square: Pixels) -> NDArray[np.float64]:
    """Return the share of pixels that are unequal across the border, per mille."""
    equal = square[:, None, :, -1] == square[None, :, :, 0]
    shares: NDArray[np.float64] = 1000 * (1 - equal.mean(axis=(2, 3))) + _QUIET
    return shares
