"""The mask of a collection's codes, from codes known beside what became of them.

The attacker holds k pairs. A masked bit is a plain bit or its opposite, the same one in every pair,
so that it is the one whose k values are all equal, or all opposite. Where several fit, he takes
one of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Bits = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class BitMask:
    """What an attacker believes: masked bit i is plain bit order[i], turned where flips[i]."""

    order: NDArray[np.intp]
    flips: Bits

    def masked(self, plain: Bits) -> Bits:
        """Return (n, bits) of 0 and 1 as the mask makes them of plain ones."""
        return plain[:, self.order] ^ self.flips


def solve_bits(plain: Bits, masked: Bits) -> BitMask:
    """Return the mask that explains most of (k, bits) pairs, which need not all be true ones."""
    signs, turned = (1 - 2 * each.astype(np.float32) for each in (plain, masked))
    agreement = turned.T @ signs
    _, order = linear_sum_assignment(-np.abs(agreement))
    flips = agreement[np.arange(len(order)), order] < 0
    return BitMask(order=order, flips=flips.astype(np.uint8))


def hamming(queries: Bits, stored: Bits) -> NDArray[np.float64]:
    """Return the Hamming distances, (queries, stored), of bits."""
    one, two = (1 - 2 * each.astype(np.float64) for each in (queries, stored))
    distances: NDArray[np.float64] = (one.shape[1] - one @ two.T) / 2
    return distances
