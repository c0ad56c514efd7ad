"""AES-256-GCM under a key and a nonce that a random salt chooses: what every seal is made with.

Key (32 bytes) and nonce (12 bytes) are the first 44 bytes of the keyed BLAKE3 of the salt under
a seal key. The salt is random and of 256 bits, so no pair of key and nonce is ever used for two
seals. Every part that the seal binds has its length before it in the associated data, so no two
lists of parts have the same encoding.
"""

import os
import struct
from collections.abc import Sequence

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SALT_SIZE = 32
"""Bytes of a salt."""

TAG_SIZE = 16
"""Bytes by which a ciphertext is longer than what it hides."""

_KEY_SIZE = 32
_NONCE_SIZE = 12
_LENGTH = struct.Struct("<Q")


def new_salt() -> bytes:
    """Return 32 random bytes, for one seal only."""
    return os.urandom(SALT_SIZE)


def check_seal_key(seal_key: bytes) -> None:
    """Raise ValueError unless a seal key has its 32 bytes."""
    if len(seal_key) != _KEY_SIZE:
        raise ValueError(f"seal_key must be {_KEY_SIZE} bytes, got {len(seal_key)}")


def encrypt_salted(seal_key: bytes, salt: bytes, data: bytes, bound: Sequence[bytes]) -> bytes:
    """Return ciphertext and tag of the data, with parts that must be the same to open it."""
    key, nonce = _key_and_nonce(seal_key, salt)
    return AESGCM(key).encrypt(nonce, data, _associated_data(bound))


def decrypt_salted(seal_key: bytes, salt: bytes, data: bytes, bound: Sequence[bytes]) -> bytes:
    """Return the data of ciphertext and tag.

    Raises:
        InvalidTag: the key, the salt, the bytes or a bound part is another.
    """
    key, nonce = _key_and_nonce(seal_key, salt)
    return AESGCM(key).decrypt(nonce, data, _associated_data(bound))


def _key_and_nonce(seal_key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Return the AES key and the nonce of the one seal with this salt."""
    output = blake3(salt, key=seal_key).digest(length=_KEY_SIZE + _NONCE_SIZE)
    return output[:_KEY_SIZE], output[_KEY_SIZE:]


def _associated_data(bound: Sequence[bytes]) -> bytes:
    """Return every part with its length before it."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in bound)
