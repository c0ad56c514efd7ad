"""Xu, Gong, Xiong, Xu, Wang and Shi, on orthogonal decomposition (JVCIR 43, 2017).

The owner writes each block in a secret orthonormal basis, made of a Gaussian matrix. Some of the
coordinates are encrypted by AES; the others stay in the clear, and the server makes its features of
them. What is clear is a projection of the picture: the E2E paper warns of that.

Guessed: blocks of 8x8, one basis for the collection, how many coordinates are clear, and the
features: the clear coordinates of a block's three channels are clustered into words, whose
histograms are compared by the sum of absolute differences.
"""

from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

from benchmarks.methods.bag_of_words import BagOfWords, Locals, bag_of_words
from benchmarks.methods.blocks import blocks_of
from benchmarks.methods.draws import Draws, nonces
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages

SIDE = 8
NUMBERS = SIDE * SIDE


@dataclass(frozen=True, kw_only=True, slots=True)
class Xu:
    """The scheme; `clear` of a block's 64 coordinates are not encrypted."""

    clear: int
    words: int

    def fit(self, training: PreparedImages, draws: Draws) -> BagOfWords:
        """Return the scheme with a key and words."""
        cipher = XuCipher(clear=self.clear, draws=draws)
        return bag_of_words(cipher, training, self.words, draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class XuCipher:
    """The owner's cipher with a key, and the server's view of what is clear."""

    clear: int
    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> NDArray[np.uint8]:
        """Return (n, bytes): a nonce, the clear float32 numbers, the encrypted ones."""
        held = np.swapaxes(blocks_of(pixels, SIDE), -1, -2).astype(np.float32)
        written = held @ self.basis().T
        return np.stack(
            [
                self._sent(each, nonce)
                for each, nonce in zip(written, nonces(len(pixels), generator), strict=True)
            ]
        )

    def local_features(self, encrypted: NDArray[np.uint8]) -> Locals:
        """Return the clear numbers of each block, (n, blocks, 3 * clear)."""
        clear, _ = self._parts(encrypted)
        return clear.reshape(len(clear), -1, 3 * self.clear)

    def decrypt(self, encrypted: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the blocks, (n, blocks, 3, 64)."""
        clear, hidden = self._parts(encrypted)
        opened = [
            np.frombuffer(self._added(each[16:].tobytes(), each[:16].tobytes()), "<f4")
            for each in hidden
        ]
        shape = (len(clear), -1, 3)
        written = np.concatenate(
            [
                clear.reshape(*shape, self.clear),
                np.stack(opened).reshape(*shape, NUMBERS - self.clear),
            ],
            axis=-1,
        )
        return np.rint(written @ self.basis()).astype(np.uint8)

    def basis(self) -> NDArray[np.float32]:
        """Return the orthonormal basis, a row for each vector, (64, 64)."""
        seed = int.from_bytes(self.draws.stream("basis", 32), "little")
        gaussian = np.random.default_rng(seed).normal(size=(NUMBERS, NUMBERS))
        return np.linalg.qr(gaussian)[0].T.astype(np.float32)

    def _sent(self, written: NDArray[np.float32], nonce: bytes) -> NDArray[np.uint8]:
        clear = written[..., : self.clear].astype("<f4").tobytes()
        hidden = written[..., self.clear :].astype("<f4").tobytes()
        return np.frombuffer(nonce + clear + self._added(hidden, nonce), np.uint8)

    def _parts(self, encrypted: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Return the clear numbers, (n, numbers), and each nonce with the encrypted ones' bytes."""
        count, size = encrypted.shape
        end = 16 + (size - 16) * self.clear // NUMBERS
        clear = np.ascontiguousarray(encrypted[:, 16:end]).view("<f4").reshape(count, -1)
        return clear, np.concatenate([encrypted[:, :16], encrypted[:, end:]], axis=1)

    def _added(self, held: bytes, nonce: bytes) -> bytes:
        """Return bytes with AES's key stream added modulo 2: the same encrypts and decrypts."""
        aes = Cipher(AES(self.draws.stream("AES", 32)), CTR(nonce)).encryptor()
        return aes.update(held) + aes.finalize()
