"""A key as a user holds it to whom its owner granted a part."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import NoReturn

from cipherlens.base import CipherProfile, Kind
from cipherlens.crypto.errors import GrantError, NotGranted
from cipherlens.crypto.hazmat.schedule import IMAGE_PURPOSES, ImageKeys, Purpose
from cipherlens.crypto.key import Key
from cipherlens.crypto.parameters import CipherParameters
from cipherlens.crypto.signing import Signed


class Rights(Enum):
    """What a grant is for; the value says it in words."""

    SEARCH = "search"
    OPEN = "search and open"


@dataclass(frozen=True, kw_only=True)
class GrantedKey:
    """What one grant gives: enough to search one collection, and perhaps to open its originals.

    Attributes:
        name: what its holder calls it.
        grant_id: the owner's number for the grant.
        fingerprint: 16 bytes, of the owner's key.
        parameters: of the owner's key.
        verify_key: 32 bytes, Ed25519; checks what the owner sealed and signed.
        collection_uuid: the collection.
        kind: of the collection's items.
        rights: what the holder may do.
        expires_at: when the owner wants it to end; None for never. Nothing enforces it but this
            package: see `check_current`.
        secrets: 32-byte keys by what they are for; those that the grant gives and no others.
    """

    name: str
    grant_id: uuid.UUID
    fingerprint: bytes
    parameters: CipherParameters
    verify_key: bytes
    collection_uuid: uuid.UUID
    kind: Kind
    rights: Rights
    expires_at: datetime | None
    secrets: Mapping[Purpose, bytes] = field(repr=False)

    @cached_property
    def profile(self) -> CipherProfile:
        """Return what cipher-images of the owner's key claim."""
        return self.parameters.profile(self.fingerprint)

    @property
    def may_sign(self) -> bool:
        """Return False: the owner alone signs and seals."""
        return False

    def image_keys(self) -> ImageKeys:
        """Return the subkeys of the image cipher. Raises NotGranted."""
        return ImageKeys({purpose: self._secret(purpose) for purpose in IMAGE_PURPOSES})

    def seal_key(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the key that opens the originals of the collection. Raises NotGranted."""
        return self._of_collection(Purpose.SEAL, collection_uuid)

    def network_key(self) -> bytes:
        """Return the key that opens hash networks. Raises NotGranted."""
        return self._secret(Purpose.NETWORK)

    def mask_key(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the key that masks vectors or codes of the collection. Raises NotGranted."""
        return self._of_collection(Purpose.MASK, collection_uuid)

    def tag_key(self, collection_uuid: uuid.UUID) -> bytes:
        """Return the key that makes tokens of tags in the collection. Raises NotGranted."""
        return self._of_collection(Purpose.TAG, collection_uuid)

    def sign(self, what: Signed, _message: bytes) -> bytes:
        """Raise NotGranted: the owner alone signs."""
        raise NotGranted(f"{self._told()}; a {what.name.lower()} is signed by the owner alone")

    def check_current(self, now: datetime) -> None:
        """Raise GrantError once it has expired.

        This is the owner's wish, not a lock: whoever holds the secrets can go on using them.
        """
        if self.expires_at is not None and now >= self.expires_at:
            raise GrantError(
                f"the grant for key {self.name!r} expired at {self.expires_at:%Y-%m-%d %H:%M} UTC; "
                "ask its owner for another"
            )

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled or copied into a form that shows the secrets."""
        raise TypeError("a granted key holds secrets and is not pickled")

    def _of_collection(self, purpose: Purpose, collection_uuid: uuid.UUID) -> bytes:
        secret = self._secret(purpose)
        if collection_uuid != self.collection_uuid:
            raise NotGranted(f"{self._told()}, not for {collection_uuid}")
        return secret

    def _secret(self, purpose: Purpose) -> bytes:
        if purpose not in self.secrets:
            raise NotGranted(f"{self._told()}; it has no key for this: {purpose.name.lower()}")
        return self.secrets[purpose]

    def _told(self) -> str:
        return (
            f"key {self.name!r} was granted to {self.rights.value} {self.kind} collection "
            f"{self.collection_uuid}"
        )


def granted_secrets(
    key: Key, collection_uuid: uuid.UUID, kind: Kind, rights: Rights
) -> dict[Purpose, bytes]:
    """Return the secrets that a grant gives: for the kind of a collection, and for one collection.

    Those of the image cipher and of networks belong to the key, not to one collection. A root and a
    signing seed are never among them.
    """
    secrets = {Purpose.TAG: key.tag_key(collection_uuid)}
    if kind is Kind.CIPHER:
        keys = key.image_keys()
        secrets.update({purpose: keys[purpose] for purpose in IMAGE_PURPOSES})
    else:
        secrets[Purpose.MASK] = key.mask_key(collection_uuid)
    if kind is Kind.CODE:
        secrets[Purpose.NETWORK] = key.network_key()
    if rights is Rights.OPEN:
        secrets[Purpose.SEAL] = key.seal_key(collection_uuid)
    return secrets
