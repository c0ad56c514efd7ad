"""Xia, Jiang, Liu, Lu and Jeon, "BOEW" (IEEE Transactions on Services Computing, 2019).

The owner substitutes the values of each colour by a secret table, permutes the blocks, and permutes
the pixels within each block. The server counts the values in each block, clusters these local
histograms into encrypted words, and compares the histograms of words by the sum of absolute
differences. The tables are the collection's, or words would not compare; both orders are each
picture's own.

Guessed: the size of blocks, the number of words, and that a block's three histograms, of RGB, are
one local feature.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.bag_of_words import BagOfWords, Locals, bag_of_words
from benchmarks.methods.blocks import blocks_of
from benchmarks.methods.draws import Draws, nonces
from benchmarks.methods.histograms import shares
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages

_VALUES = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class XiaBOEW:
    """The scheme; `side` is that of a block, in pixels."""

    side: int
    words: int

    def fit(self, training: PreparedImages, draws: Draws) -> BagOfWords:
        """Return the scheme with a key and words."""
        cipher = BOEWCipher(side=self.side, draws=draws)
        return bag_of_words(cipher, training, self.words, draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class BOEWCipher:
    """The owner's cipher with a key, and the server's local histograms."""

    side: int
    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return (n, blocks, pixels, 3) uint8."""
        tables = self.draws.permutations("values", (3, _VALUES)).astype(np.uint8)
        held = blocks_of(pixels, self.side)
        sent = np.stack([tables[channel][held[..., channel]] for channel in range(3)], axis=-1)
        for picture, nonce in enumerate(nonces(len(sent), generator)):
            blocks = self.draws.permutations("blocks", sent.shape[1:2], nonce)
            within = self.draws.permutations("pixels", sent.shape[1:3], nonce)
            sent[picture] = np.take_along_axis(sent[picture, blocks], within[..., None], axis=1)
        return sent

    def local_features(self, encrypted: NDArray[np.uint8]) -> Locals:
        """Return the histograms of each block's values, (n, blocks, 768)."""
        found = shares(np.swapaxes(encrypted, -1, -2), _VALUES)
        return found.reshape(*encrypted.shape[:2], -1)
