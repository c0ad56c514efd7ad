"""Xia, Wang, Tang, Xiong and Weng, on secure local binary patterns (IEEE TNSE 8(1), 2021).

The owner permutes big blocks, the blocks of 3x3 within each, and the pixels within each of those,
and substitutes values by order-preserving tables, another from one big block to the next. The
server reads the local binary pattern of each block of 3x3, which such tables leave as it is, counts
the patterns of a big block as a local feature, clusters these into words, and compares histograms
of words by the sum of absolute differences.

The order of pixels within blocks of 3x3 is the collection's, or patterns would not compare; tables
and the other orders are each picture's own. Guessed: that the pixel in the middle stays there, the
size of big blocks, the number of words, and that a big block's three histograms, of RGB, are one
local feature. Where big blocks do not divide a picture, its last row and column are repeated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.bag_of_words import BagOfWords, Locals, bag_of_words
from benchmarks.methods.blocks import blocks_of, padded
from benchmarks.methods.draws import Draws, nonces
from benchmarks.methods.histograms import shares
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages

_SMALL, _MIDDLE, _PATTERNS = 3, 4, 256
_NEIGHBOURS = np.delete(np.arange(_SMALL**2), _MIDDLE)
_VALUES, _WIDE = 256, 2**16


@dataclass(frozen=True, kw_only=True, slots=True)
class XiaLBP:
    """The scheme; `side` is that of a big block, in pixels, a multiple of 3."""

    side: int
    words: int

    def fit(self, training: PreparedImages, draws: Draws) -> BagOfWords:
        """Return the scheme with a key and words."""
        cipher = LBPCipher(side=self.side, draws=draws)
        return bag_of_words(cipher, training, self.words, draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class LBPCipher:
    """The owner's cipher with a key, and the server's histograms of patterns."""

    side: int
    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> NDArray[np.uint16]:
        """Return (n, big blocks, blocks, 9, 3) uint16."""
        held = nested(padded(pixels, self.side), self.side)[..., self.order(), :]
        sent = np.empty(held.shape, np.uint16)
        for picture, nonce in enumerate(nonces(len(held), generator)):
            big = self.draws.permutations("big blocks", held.shape[1:2], nonce)
            small = self.draws.permutations("blocks", held.shape[1:3], nonce)
            moved = np.take_along_axis(held[picture, big], small[..., None, None], axis=1)
            for block, table in enumerate(self._tables(len(big), nonce)):
                sent[picture, block] = table[moved[block]]
        return sent

    def local_features(self, encrypted: NDArray[np.uint16]) -> Locals:
        """Return the histograms of each big block's patterns, (n, big blocks, 768)."""
        found = shares(np.swapaxes(patterns(encrypted), -1, -2), _PATTERNS)
        return found.reshape(*encrypted.shape[:2], -1)

    def order(self) -> NDArray[np.intp]:
        """Return where each pixel of a block of 3x3 is taken from; the middle stays."""
        order = np.full(_SMALL**2, _MIDDLE, np.intp)
        order[_NEIGHBOURS] = _NEIGHBOURS[self.draws.permutations("pixels", _NEIGHBOURS.shape)]
        return order

    def _tables(self, count: int, nonce: bytes) -> NDArray[np.uint16]:
        """Return increasing tables, (count, 256), of values of 16 bits."""
        drawn = self.draws.words("tables", (count, _VALUES), nonce, "<u4").astype(np.int64)
        steps = drawn % (_WIDE // _VALUES) + 1
        return (np.cumsum(steps, axis=1) - 1).astype(np.uint16)


def nested(pixels: Pixels, side: int) -> Pixels:
    """Return (n, big blocks, blocks, 9, 3) of pictures that big blocks divide."""
    big = blocks_of(pixels, side)
    count, bigs, _, channels = big.shape
    small = blocks_of(big.reshape(count * bigs, side, side, channels), _SMALL)
    return small.reshape(count, bigs, -1, _SMALL**2, channels)


def patterns(blocks: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return (..., 3) of blocks (..., 9, 3): a bit for each neighbour not below the middle."""
    above = blocks[..., _NEIGHBOURS, :] >= blocks[..., _MIDDLE : _MIDDLE + 1, :]
    bits = 1 << np.arange(len(_NEIGHBOURS), dtype=np.int64)
    found: NDArray[np.int64] = (above * bits[:, None]).sum(axis=-2)
    return found
