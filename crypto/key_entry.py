"""One key: a random root, and the parameters that it fixes for ever."""

import os
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cipherlens.base import FINGERPRINT_BYTES, CipherProfile
from cipherlens.crypto.hazmat.schedule import (
    ROOT_SIZE,
    Purpose,
    derive_collection_key,
    derive_subkey,
    fingerprint,
)
from cipherlens.crypto.parameters import CipherParameters

MAX_NAME_LENGTH = 64
_FINGERPRINT_TEXT = re.compile(f"[0-9a-fA-F]{{{2 * FINGERPRINT_BYTES}}}")


@dataclass(frozen=True, kw_only=True)
class KeyEntry:
    """A named key with its immutable parameters.

    The root is the secret from which everything follows. It never shows in `repr`, and the entry
    refuses to be pickled; only a keyring file holds it.

    Attributes:
        name: 1 to 64 printable characters, and not the text of a fingerprint.
        root: 32 random bytes.
        parameters: what every image under this key has in common.
        created_at: when the key was made; aware of its time zone.

    Raises:
        ValueError: a field is out of its range; names the field and the limit.
        TypeError: the root is not bytes.
    """

    name: str
    root: bytes = field(repr=False)
    parameters: CipherParameters
    created_at: datetime

    def __post_init__(self) -> None:
        """Check every field."""
        _check_name(self.name)
        if not isinstance(self.root, bytes):
            raise TypeError(f"root must be bytes, got {type(self.root).__name__}")
        if len(self.root) != ROOT_SIZE:
            raise ValueError(f"root must be {ROOT_SIZE} bytes, got {len(self.root)}")
        if self.created_at.utcoffset() is None:
            raise ValueError(f"created_at must have a time zone, got {self.created_at}")

    @classmethod
    def generate(cls, name: str, parameters: CipherParameters) -> "KeyEntry":
        """Return a new key with a root from the system's random source."""
        now = datetime.now(UTC).replace(microsecond=0)
        return cls(name=name, root=os.urandom(ROOT_SIZE), parameters=parameters, created_at=now)

    @cached_property
    def fingerprint(self) -> bytes:
        """Return the 16-byte public name of this key."""
        return fingerprint(self.root)

    @cached_property
    def profile(self) -> CipherProfile:
        """Return what cipher-images of this key claim."""
        return self.parameters.profile(self.fingerprint)

    @cached_property
    def verify_key(self) -> bytes:
        """Return the 32-byte Ed25519 public key that checks this owner's signatures."""
        return self._signing_key().public_key().public_bytes_raw()

    def seal_key(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the 32-byte key that seals the originals of one collection."""
        return derive_collection_key(self.root, Purpose.SEAL, collection_uuid)

    def network_key(self) -> bytes:
        """Return the 32-byte key that seals hash networks."""
        return derive_subkey(self.root, Purpose.NETWORK)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of a message."""
        return self._signing_key().sign(message)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into a form that shows the root."""
        raise TypeError("a key entry holds a secret and is not pickled")

    def _signing_key(self) -> Ed25519PrivateKey:
        """Return the private key, whose seed is a subkey of its own."""
        return Ed25519PrivateKey.from_private_bytes(derive_subkey(self.root, Purpose.SIGN))


def _check_name(name: str) -> None:
    """Raise unless name can stand in a listing and cannot be taken for a fingerprint."""
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise ValueError(f"name must be 1 to {MAX_NAME_LENGTH} characters, got {len(name)}")
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"name must be printable, without spaces around it, got {name!r}")
    if _FINGERPRINT_TEXT.fullmatch(name):
        raise ValueError(f"name must not be the text of a fingerprint, got {name!r}")
