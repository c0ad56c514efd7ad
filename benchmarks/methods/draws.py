"""What a comparator draws from its key: byte streams, words and permutations, each by its purpose.

Comparators encrypt in ways of their own; what they share is where their random numbers come from.
"""

from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

_CONTEXT = "CipherLens benchmarks 2026-11 key of a comparator"


class Draws:
    """A key, made of a seed: whoever knows the seed can make it again.

    A purpose and a nonce have one stream; a nonce makes a picture's own.
    """

    def __init__(self, seed: int) -> None:
        """Derive the key."""
        self._key = blake3(seed.to_bytes(8, "little"), derive_key_context=_CONTEXT).digest()

    def stream(self, purpose: str, size: int, nonce: bytes = b"") -> bytes:
        """Return `size` bytes."""
        message = purpose.encode() + b"\0" + nonce
        drawn: bytes = blake3(message, key=self._key).digest(length=size)
        return drawn

    def words(
        self, purpose: str, shape: tuple[int, ...], nonce: bytes = b"", dtype: Any = "<u8"
    ) -> NDArray[Any]:
        """Return unsigned words of a shape and type, uniform over all that the type holds."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer(self.stream(purpose, size, nonce), dtype).reshape(shape)

    def permutations(
        self, purpose: str, shape: tuple[int, ...], nonce: bytes = b""
    ) -> NDArray[np.intp]:
        """Return permutations of the last axis of a shape, one for each of the axes before it.

        They are uniform up to equal words; n of 64 bits have any with a chance of n^2/2^65.
        """
        return np.argsort(self.words(purpose, shape, nonce), axis=-1, kind="stable")


def nonces(count: int, generator: np.random.Generator) -> list[bytes]:
    """Return a nonce of 16 bytes for each of `count` pictures."""
    return [generator.bytes(16) for _ in range(count)]
