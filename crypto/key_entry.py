"""One key: a random root, and the parameters that it fixes for ever."""

import os
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import NoReturn

from cipherlens.base import FINGERPRINT_BYTES, CipherProfile
from cipherlens.crypto.hazmat.schedule import (
    ROOT_SIZE,
    ImageKeys,
    Purpose,
    derive_collection_key,
    derive_subkey,
    fingerprint,
)
from cipherlens.crypto.parameters import CipherParameters
from cipherlens.crypto.signing import SEED_SIZE, Signed, public_key, sign

MAX_NAME_LENGTH = 64
_FINGERPRINT_TEXT = re.compile(f"[0-9a-fA-F]{{{2 * FINGERPRINT_BYTES}}}")


@dataclass(frozen=True, kw_only=True)
class KeyEntry:
    """A named key with its immutable parameters, as its owner holds it.

    The root is the secret from which everything that reads follows; the signing seed, which follows
    from nothing, makes the owner's signatures. Neither shows in `repr`, and the entry refuses to be
    pickled; only a keyring file holds them.

    Attributes:
        name: 1 to 64 printable characters, and not the text of a fingerprint.
        root: 32 random bytes.
        signing_seed: 32 random bytes.
        parameters: what every image under this key has in common.
        created_at: when the key was made; aware of its time zone.

    Raises:
        ValueError: a field is out of its range; names the field and the limit.
        TypeError: the root or the seed is not bytes.
    """

    name: str
    root: bytes = field(repr=False)
    signing_seed: bytes = field(repr=False)
    parameters: CipherParameters
    created_at: datetime

    def __post_init__(self) -> None:
        """Check every field."""
        check_name(self.name)
        check_secret("root", self.root, ROOT_SIZE)
        check_secret("signing_seed", self.signing_seed, SEED_SIZE)
        if self.created_at.utcoffset() is None:
            raise ValueError(f"created_at must have a time zone, got {self.created_at}")

    @classmethod
    def generate(cls, name: str, parameters: CipherParameters) -> "KeyEntry":
        """Return a new key with root and seed from the system's random source."""
        return cls(
            name=name,
            root=os.urandom(ROOT_SIZE),
            signing_seed=os.urandom(SEED_SIZE),
            parameters=parameters,
            created_at=datetime.now(UTC).replace(microsecond=0),
        )

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
        return public_key(self.signing_seed)

    @property
    def may_sign(self) -> bool:
        """Return True: this is the owner's."""
        return True

    def image_keys(self) -> ImageKeys:
        """Return the subkeys of the image cipher."""
        return ImageKeys.of(self.root)

    def seal_key(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the 32-byte key that seals the originals of one collection."""
        return derive_collection_key(self.root, Purpose.SEAL, collection_uuid)

    def network_key(self) -> bytes:
        """Return the 32-byte key that seals hash networks."""
        return derive_subkey(self.root, Purpose.NETWORK)

    def mask_key(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the 32-byte key that masks the vectors or codes of one collection."""
        return derive_collection_key(self.root, Purpose.MASK, collection_uuid)

    def tag_key(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the 32-byte key that makes tokens of the tags of one collection."""
        return derive_collection_key(self.root, Purpose.TAG, collection_uuid)

    def sign(self, what: Signed, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of a message for one purpose."""
        return sign(self.signing_seed, what, message)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into a form that shows the secrets."""
        raise TypeError("a key entry holds a secret and is not pickled")


def check_secret(field: str, value: bytes, size: int) -> None:
    """Raise unless value is size bytes; its content is in no error."""
    if not isinstance(value, bytes):
        raise TypeError(f"{field} must be bytes, got {type(value).__name__}")
    if len(value) != size:
        raise ValueError(f"{field} must be {size} bytes, got {len(value)}")


def check_name(name: str) -> None:
    """Raise unless name can stand in a listing and cannot be taken for a fingerprint."""
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        raise ValueError(f"name must be 1 to {MAX_NAME_LENGTH} characters, got {len(name)}")
    if not name.isprintable() or name != name.strip():
        raise ValueError(f"name must be printable, without spaces around it, got {name!r}")
    if _FINGERPRINT_TEXT.fullmatch(name):
        raise ValueError(f"name must not be the text of a fingerprint, got {name!r}")
