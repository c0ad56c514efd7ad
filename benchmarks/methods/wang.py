"""Wang, Xia, Fei and Xiao, "An AES-based secure image retrieval scheme" (IEEE Access 8, 2020).

The owner encrypts the picture by AES. The server takes what AES makes of each small block as a
random local feature: equal blocks have equal ones, and blocks that differ at all have ones that
have nothing to do with each other. It clusters them into words and compares the histograms of words
by the sum of absolute differences.

Guessed: that AES works on blocks of 4x4 pixels of one channel, 16 bytes, each by itself and all
under one key; that the random mapping is that of AES itself; the number of words.
"""

from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

from benchmarks.methods.bag_of_words import BagOfWords, Locals, bag_of_words
from benchmarks.methods.blocks import blocks_of
from benchmarks.methods.draws import Draws
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages

SIDE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Wang:
    """The scheme."""

    words: int

    def fit(self, training: PreparedImages, draws: Draws) -> BagOfWords:
        """Return the scheme with a key and words."""
        return bag_of_words(WangCipher(draws=draws), training, self.words, draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class WangCipher:
    """The owner's cipher with a key, and the server's view of its blocks."""

    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> NDArray[np.uint8]:  # noqa: ARG002
        """Return (n, blocks of three channels, 16) uint8."""
        held = np.ascontiguousarray(np.swapaxes(blocks_of(pixels, SIDE), -1, -2))
        # Equal blocks must stay equal, which is what this mode does and why nothing else uses it.
        aes = Cipher(AES(self.draws.stream("AES", 32)), ECB()).encryptor()  # noqa: S305
        sent = aes.update(held.tobytes()) + aes.finalize()
        return np.frombuffer(sent, np.uint8).reshape(len(pixels), -1, SIDE * SIDE)

    def local_features(self, encrypted: NDArray[np.uint8]) -> Locals:
        """Return the blocks as vectors of 16 numbers."""
        return encrypted.astype(np.float32)
