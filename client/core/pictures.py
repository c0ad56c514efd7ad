"""Pictures as they leave the owner's side."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cipherlens.crypto import CipherImage, ListedItem, ListedTags, companion_digest


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class EncryptedPicture:
    """A cipher-image, and the sealed original if it was wanted."""

    cipher_image: CipherImage
    sealed_original: bytes = field(default=b"", repr=False)

    @property
    def size_bytes(self) -> int:
        """Return how many bytes it takes in a message, but for a few hundred."""
        return self.cipher_image.pixels.nbytes + len(self.sealed_original)

    def listed(self, revision: int, tags: ListedTags) -> ListedItem:
        """Return what a manifest says of the item that is made of it."""
        return ListedItem(revision, self.cipher_image.digest(), bool(self.sealed_original), tags)


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class CodedPicture:
    """The same in the hash pipeline: a code, (ceil(bits / 8),) uint8, and the sealed original.

    `mask_id` is `Collection.mask_id` where the code is under a mask, and empty where not.
    """

    code: npt.NDArray[np.uint8]
    sealed_original: bytes = field(default=b"", repr=False)
    mask_id: str = ""

    @property
    def size_bytes(self) -> int:
        """Return how many bytes it takes in a message, but for a few hundred."""
        return self.code.nbytes + len(self.sealed_original)

    def listed(self, revision: int, tags: ListedTags) -> ListedItem:
        """Return what a manifest says of the item that is made of it."""
        digest = companion_digest(self.code.tobytes())
        return ListedItem(revision, digest, bool(self.sealed_original), tags)
