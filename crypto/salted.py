"""What every seal is made with: AES-256-GCM under a key that a salt chooses, and a signature.

Key (32 bytes) and nonce (12 bytes) are the first 44 bytes of the keyed BLAKE3 of the salt under
a seal key. The salt is random and of 256 bits, so no pair of key and nonce is ever used for two
seals. Every part that the seal binds has its length before it in the associated data, so no two
lists of parts have the same encoding.

Whoever reads holds the seal key, so ciphertext and tag alone vouch for nobody. After them stands
the owner's signature of a BLAKE3 of all that is bound and of the BLAKE3 of ciphertext and tag, each
with its length before it: a reader can check it, and only the owner can make it. Without the
ciphertext, but with its BLAKE3, it can be checked too.
"""

import os
import struct
from collections.abc import Callable, Sequence

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cipherlens.crypto.signing import SIGNATURE_SIZE

SALT_SIZE = 32
"""Bytes of a salt."""

OVERHEAD_SIZE = 16 + SIGNATURE_SIZE
"""Bytes by which ciphertext, tag and signature are longer than what they hide."""

ITEM_KEY_SIZE = 44
"""Bytes of what opens one seal and no other: the AES key and the nonce."""

_KEY_SIZE = 32
_LENGTH = struct.Struct("<Q")
_DIGEST_CONTEXT = "cipherlens 2026-11-25 v1 sealed digest"

Sign = Callable[[bytes], bytes]
"""Makes the signature of a digest."""

Check = Callable[[bytes, bytes], bool]
"""Tells whether a digest has this signature."""


def new_salt() -> bytes:
    """Return 32 random bytes, for one seal only."""
    return os.urandom(SALT_SIZE)


def check_seal_key(seal_key: bytes) -> None:
    """Raise ValueError unless a seal key has its 32 bytes."""
    if len(seal_key) != _KEY_SIZE:
        raise ValueError(f"seal_key must be {_KEY_SIZE} bytes, got {len(seal_key)}")


def encrypt_salted(
    seal_key: bytes, salt: bytes, data: bytes, bound: Sequence[bytes], sign: Sign
) -> bytes:
    """Return ciphertext, tag and signature of the data; the bound parts must be there to open it.

    The salt is one of the parts, or stands in one.
    """
    key, nonce = _parts(item_key(seal_key, salt))
    body = AESGCM(key).encrypt(nonce, data, _associated_data(bound))
    return body + sign(signed_digest(bound, blake3(body).digest()))


def decrypt_salted(own_key: bytes, data: bytes, bound: Sequence[bytes], check: Check) -> bytes:
    """Return the data of ciphertext, tag and signature, opened with the key of the one seal.

    Raises:
        InvalidTag, InvalidSignature: the key, the bytes or a bound part is another.
    """
    body, signature = data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]
    if not check(signed_digest(bound, blake3(body).digest()), signature):
        raise InvalidSignature
    key, nonce = _parts(own_key)
    return AESGCM(key).decrypt(nonce, body, _associated_data(bound))


def item_key(seal_key: bytes, salt: bytes) -> bytes:
    """Return the 44 bytes that open the one seal with this salt."""
    return blake3(salt, key=seal_key).digest(length=ITEM_KEY_SIZE)


def signed_digest(bound: Sequence[bytes], body_hash: bytes) -> bytes:
    """Return the 32 bytes that the owner signs, of all that is bound and the hash of the rest."""
    parts = _associated_data([*bound, body_hash])
    return blake3(parts, derive_key_context=_DIGEST_CONTEXT).digest()


def _parts(own_key: bytes) -> tuple[bytes, bytes]:
    """Return the AES key and the nonce; ValueError for another length."""
    if len(own_key) != ITEM_KEY_SIZE:
        raise ValueError(f"the key of one seal must be {ITEM_KEY_SIZE} bytes, got {len(own_key)}")
    return own_key[:_KEY_SIZE], own_key[_KEY_SIZE:]


def _associated_data(bound: Sequence[bytes]) -> bytes:
    """Return every part with its length before it."""
    return b"".join(_LENGTH.pack(len(part)) + part for part in bound)
