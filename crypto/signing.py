"""The owner's signatures: Ed25519, each over a sentence of what it is for.

What is signed is the context of its purpose, a zero byte, and the message, as in TLS 1.3 (RFC 8446,
section 4.4.3): no signature can be taken for one of another purpose, and none is over bytes that
somebody else chose alone. The seed is random, held by the owner and derived from nothing that a
reader of his pictures holds.
"""

from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SEED_SIZE = 32
"""Bytes of a signing seed, and of the public key that checks its signatures."""

SIGNATURE_SIZE = 64
"""Bytes of a signature."""


class Signed(Enum):
    """What a signature is of; the value is its context."""

    ORIGINAL = "cipherlens 2026-11-25 v1 signature of a sealed original"
    NETWORK = "cipherlens 2026-11-25 v1 signature of a sealed network"
    GRANT = "cipherlens 2026-11-25 v1 signature of a grant"
    MANIFEST = "cipherlens 2026-11-25 v1 signature of a manifest"


def public_key(seed: bytes) -> bytes:
    """Return the 32-byte public key of a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed: bytes, what: Signed, message: bytes) -> bytes:
    """Return the 64-byte signature of a message under a 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(_in_context(what, message))


def is_signed(verify_key: bytes, what: Signed, message: bytes, signature: bytes) -> bool:
    """Return whether a signature is that of a message, for its purpose, under a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(verify_key).verify(signature, _in_context(what, message))
    except InvalidSignature:
        return False
    return True


def _in_context(what: Signed, message: bytes) -> bytes:
    return what.value.encode() + b"\0" + message
