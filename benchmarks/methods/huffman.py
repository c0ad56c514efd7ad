"""What a JPEG file's Huffman codes say: lengths and runs, whatever the bits behind them.

A coefficient is written as the Huffman code of its length in bits and, for an AC one, of the zeros
before it, and then as so many bits. A stream cipher on those bits leaves the codes as they are.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.encrypted_jpeg import Coefficients

DC_CODES = 12
"""Lengths from 0 to 11 bits."""

AC_CODES = 162
"""Runs of 0 to 15 zeros before a length of 1 to 10 bits, the end of a block, and 16 zeros."""

_END, _SIXTEEN = 160, 161
_LENGTHS = 10


def lengths(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return how many bits each value is written with."""
    exponents: NDArray[np.int64] = np.frexp(np.abs(values.astype(np.float64)))[1].astype(np.int64)
    return exponents


def masked(values: NDArray[np.integer], words: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the values with the bits that they are written with added to the words', modulo 2.

    Each keeps its length; the same words undo it.
    """
    highest = (np.int64(1) << lengths(values)) - 1
    bits = np.where(values > 0, values, values + highest) ^ (words & highest)
    found: NDArray[np.int64] = np.where(bits > highest // 2, bits, bits - highest)
    return found


def dc_differences(held: Coefficients) -> NDArray[np.int64]:
    """Return what is written of DC coefficients, (n, 3, blocks): each less the one before it."""
    written = held[..., 0].astype(np.int64)
    written[..., 1:] -= held[..., :-1, 0]
    return written


def dc_counts(held: Coefficients) -> NDArray[np.int64]:
    """Return how often each DC code stands in each component, (n, 3, 12)."""
    return _counts(lengths(dc_differences(held)), DC_CODES)


def ac_counts(held: Coefficients) -> NDArray[np.int64]:
    """Return how often each AC code stands in each component, (n, 3, 162)."""
    pictures, components, blocks, _ = held.shape
    flat = held.reshape(-1, held.shape[-1])
    block, place = np.nonzero(flat[:, 1:])
    place += 1
    first = np.ones(len(block), bool)
    first[1:] = block[1:] != block[:-1]
    before = np.where(first, 0, np.roll(place, 1))
    runs = place - before - 1
    codes = runs % 16 * _LENGTHS + lengths(flat[block, place]) - 1
    component = block // blocks
    size = pictures * components * AC_CODES
    counts = np.bincount(component * AC_CODES + codes, minlength=size)
    counts = counts.reshape(pictures, components, AC_CODES)
    sixteens = np.bincount(component, runs // 16, minlength=pictures * components)
    counts[..., _SIXTEEN] = sixteens.reshape(pictures, components)
    counts[..., _END] = (held[..., -1] == 0).sum(axis=-1)
    return counts


def _counts(codes: NDArray[np.int64], kinds: int) -> NDArray[np.int64]:
    """Return how often each of `kinds` codes stands along the last axis."""
    rows = codes.reshape(-1, codes.shape[-1])
    offsets = np.arange(len(rows))[:, None] * kinds
    found = np.bincount((rows + offsets).ravel(), minlength=len(rows) * kinds)
    return found.reshape(*codes.shape[:-1], kinds)
