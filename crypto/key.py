"""What code that uses a key asks of it, be it the owner's entry or one that he granted."""

import uuid
from typing import Protocol

from cipherlens.base import CipherProfile
from cipherlens.crypto.hazmat.schedule import ImageKeys
from cipherlens.crypto.parameters import CipherParameters
from cipherlens.crypto.signing import Signed


class Key(Protocol):
    """A `KeyEntry`, which may do all, or a `GrantedKey`, which raises NotGranted for the rest."""

    @property
    def name(self) -> str:
        """What its holder calls it."""

    @property
    def fingerprint(self) -> bytes:
        """The 16-byte public name of the owner's key."""

    @property
    def parameters(self) -> CipherParameters:
        """What every image under the key has in common."""

    @property
    def profile(self) -> CipherProfile:
        """What cipher-images of the key claim."""

    @property
    def verify_key(self) -> bytes:
        """The 32-byte Ed25519 public key that checks the owner's signatures."""

    @property
    def may_sign(self) -> bool:
        """Whether it is the owner's, who alone signs and seals."""

    def image_keys(self) -> ImageKeys:
        """Return the subkeys of the image cipher."""

    def seal_key(self, collection_uuid: uuid.UUID, /) -> bytes:
        """Return the 32-byte key that opens the originals of one collection."""

    def network_key(self) -> bytes:
        """Return the 32-byte key that opens hash networks."""

    def mask_key(self, collection_uuid: uuid.UUID, /) -> bytes:
        """Return the 32-byte key that masks the vectors or codes of one collection."""

    def tag_key(self, collection_uuid: uuid.UUID, /) -> bytes:
        """Return the 32-byte key that makes tokens of the tags of one collection."""

    def sign(self, what: Signed, message: bytes, /) -> bytes:
        """Return the owner's 64-byte signature of a message for one purpose."""
