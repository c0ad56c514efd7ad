"""A user's key pair, and the text by which others name its public half.

A recipient's text is "clr1" and the base32, in small letters and without padding, of the 32-byte
X25519 public key and the first 4 bytes of its BLAKE3: a letter that was mistyped is found.
"""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import NoReturn

from blake3 import blake3
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from cipherlens.crypto.key_entry import check_name, check_secret

RECIPIENT_SIZE = 32
"""Bytes of a public key."""

_PREFIX = "clr1"
_CHECK_SIZE = 4


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What opens the grants of one user.

    Attributes:
        name: 1 to 64 printable characters.
        private_key: 32 bytes, X25519; it never shows, and only a keyring file holds it.
        created_at: when it was made; aware of its time zone.

    Raises:
        ValueError, TypeError: a field is out of its range.
    """

    name: str
    private_key: bytes = field(repr=False)
    created_at: datetime

    def __post_init__(self) -> None:
        """Check every field."""
        check_name(self.name)
        check_secret("private_key", self.private_key, RECIPIENT_SIZE)

    @classmethod
    def generate(cls, name: str) -> "Identity":
        """Return a new key pair from the system's random source."""
        private = X25519PrivateKey.generate().private_bytes_raw()
        return cls(
            name=name, private_key=private, created_at=datetime.now(UTC).replace(microsecond=0)
        )

    @cached_property
    def recipient(self) -> bytes:
        """Return the 32-byte public key, which owners wrap grants to."""
        return self.secret().public_key().public_bytes_raw()

    def secret(self) -> X25519PrivateKey:
        """Return the private key at work."""
        return X25519PrivateKey.from_private_bytes(self.private_key)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into a form that shows the secret."""
        raise TypeError("an identity holds a secret and is not pickled")


def recipient_text(recipient: bytes) -> str:
    """Return the text that names a public key of 32 bytes."""
    check = blake3(recipient).digest(length=_CHECK_SIZE)
    return _PREFIX + base64.b32encode(recipient + check).decode().rstrip("=").lower()


def recipient_from(text: str) -> bytes:
    """Return the 32-byte public key that a text names.

    Raises:
        ValueError: it is no such text, or a letter of it is wrong.
    """
    encoded = text.removeprefix(_PREFIX).upper()
    try:
        data = base64.b32decode(encoded + "=" * (-len(encoded) % 8))
    except ValueError:
        data = b""
    recipient = data[:RECIPIENT_SIZE]
    if len(data) != RECIPIENT_SIZE + _CHECK_SIZE or recipient_text(recipient) != text:
        raise ValueError(f"recipient must be a text that begins with {_PREFIX!r}, got {text!r}")
    X25519PublicKey.from_public_bytes(recipient)
    return recipient
