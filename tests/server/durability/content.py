"""What an item holds follows from its id and revision, so that every byte of it can be checked."""

import hashlib

import numpy as np

from cipherlens.crypto import CipherImage, CipherParameters, Scope

BITS = 256
DIMENSION = 16
PARAMETERS = CipherParameters(
    height=16, width=32, block_size=8, substituted_blocks=2, scope=Scope.COLLECTION
)
FINGERPRINT = b"f" * 16


def code(item_id: str, revision: int) -> np.ndarray:
    """Return a code of 256 bits, (32,) uint8; no two are near each other."""
    return np.frombuffer(_drawn(item_id, revision, BITS // 8), np.uint8)


def vector(item_id: str, revision: int) -> np.ndarray:
    """Return a vector, (16,) float32, of unit length."""
    seed = int.from_bytes(_drawn(item_id, revision, 8))
    drawn = np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def sealed(item_id: str, revision: int) -> bytes:
    """Return up to 16 KiB that stand for a sealed original: some pages of a database, or none."""
    data = _drawn(item_id, revision, 1 << 14)
    return data[: int.from_bytes(data[:2]) >> 2]


def cipher_image(item_id: str, revision: int) -> CipherImage:
    """Return pixels that claim to be a cipher-image; a server cannot tell."""
    height, width = PARAMETERS.height, PARAMETERS.width
    pixels = np.frombuffer(_drawn(item_id, revision, height * width * 3), np.uint8)
    return CipherImage(
        parameters=PARAMETERS,
        key_fingerprint=FINGERPRINT,
        height=height,
        width=width,
        nonce=bytes(16),
        pixels=pixels.reshape(height, width, 3),
    )


def _drawn(item_id: str, revision: int, size: int) -> bytes:
    return hashlib.shake_128(f"{item_id}@{revision}".encode()).digest(size)
