"""What cipher-images say of themselves, and whether it fits what a collection or a model is for."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from cipherlens.base.errors import ProfileMismatch
from cipherlens.base.fields import check_choice, check_integer, check_names

FINGERPRINT_BYTES = 16
"""Length of a key's public name."""

NONCE_BYTES = 16
"""Length of the nonce that travels with a cipher-image."""


class Scope(StrEnum):
    """How far one set of sequences reaches."""

    COLLECTION = "collection"
    """One set for all images of the key, as in the E2E paper; the nonce is zero."""

    IMAGE = "image"
    """A fresh set for every encryption, drawn from a random nonce that travels with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CipherProfile:
    """The claim of a cipher-image about its making, or of a model about its training images.

    `height` x `width` is the landscape size; portrait images have the sides exchanged. An empty
    `key_fingerprint` stands for any key: a model that learned from many keys has it.

    Raises:
        ValueError: if a field is out of range.
        TypeError: if a field has the wrong type.
    """

    scheme_version: int
    preparation_version: int
    height: int
    width: int
    block_size: int
    substituted_blocks: int
    scope: Scope
    key_fingerprint: bytes

    def __post_init__(self) -> None:
        check_integer("scheme_version", self.scheme_version, 1, 2**16 - 1)
        check_integer("preparation_version", self.preparation_version, 1, 2**16 - 1)
        check_integer("width", self.width, 1, 2**14)
        check_integer("height", self.height, 1, self.width)
        check_integer("block_size", self.block_size, 1, self.height)
        if self.height % self.block_size or self.width % self.block_size:
            raise ValueError(
                f"block_size must divide {self.height} and {self.width}, got {self.block_size}"
            )
        check_integer("substituted_blocks", self.substituted_blocks, 0, self.blknum)
        check_choice("scope", self.scope, [each.value for each in Scope])
        object.__setattr__(self, "scope", Scope(self.scope))
        if not isinstance(self.key_fingerprint, bytes):
            raise TypeError(f"key_fingerprint must be bytes, got {self.key_fingerprint!r}")
        if len(self.key_fingerprint) not in (0, FINGERPRINT_BYTES):
            raise ValueError(
                f"key_fingerprint must have 0 or {FINGERPRINT_BYTES} bytes, "
                f"got {len(self.key_fingerprint)}"
            )

    @property
    def blknum(self) -> int:
        """The number of blocks in one image."""
        return self.height * self.width // self.block_size**2

    def shape_matches(self, height: int, width: int) -> bool:
        """Return whether height x width is the size in one of the two orientations."""
        return (height, width) in ((self.height, self.width), (self.width, self.height))

    def differences(self, other: "CipherProfile") -> list[str]:
        """Return a phrase such as "block_size 8 is not 16" (other's value first) per difference."""
        return [
            f"{field.name} {_shown(theirs)} is not {_shown(ours)}"
            for field in fields(self)
            if _differ(ours := getattr(self, field.name), theirs := getattr(other, field.name))
        ]

    def require(self, other: "CipherProfile", what: str) -> None:
        """Pass if `other`, the profile of `what`, fits this one.

        Raises:
            ProfileMismatch: naming every differing field with both values.
        """
        if differences := self.differences(other):
            raise ProfileMismatch(f"{what} does not fit: {'; '.join(differences)}")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-able values, the fingerprint as hexadecimal digits."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"key_fingerprint": self.key_fingerprint.hex()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return the profile that `to_dict` described.

        Raises:
            ValueError: for unknown, missing or out-of-range fields.
            TypeError: for a field of the wrong type.
        """
        names = [field.name for field in fields(cls)]
        check_names("profile", values, names)
        if missing := [name for name in names if name not in values]:
            raise ValueError(f"profile lacks {', '.join(missing)}")
        fingerprint = values["key_fingerprint"]
        if not isinstance(fingerprint, str):
            raise TypeError(f"key_fingerprint must be hexadecimal digits, got {fingerprint!r}")
        return cls(**{**values, "key_fingerprint": bytes.fromhex(fingerprint)})


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _differ(ours: object, theirs: object) -> bool:
    """Return whether two field values exclude each other; an empty fingerprint fits any key."""
    return ours != theirs and b"" not in (ours, theirs)
