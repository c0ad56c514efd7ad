"""What is asked of the engine, checked and in memory: collections, items and queries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import CipherProfile, Kind
from cipherlens.server.storage.records import CipherPixels


@dataclass(frozen=True, kw_only=True, slots=True)
class NewCollection:
    """A collection to make, with just the fields of its kind set."""

    name: str
    kind: Kind
    dimension: int = 0
    bits: int = 0
    profile: CipherProfile | None = None
    encoder_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class ItemHead:
    """An item of a batch, apart from what it is compared by."""

    item_id: str
    revision: int
    owner_tag: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True)
class CipherBatch:
    """Cipher-images, and the profiles they claim (as many, in their order)."""

    images: list[CipherPixels]
    profiles: list[CipherProfile]

    kind = Kind.CIPHER

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """Vectors.

    rows: (n, dimension) float32 unit vectors.
    sent: (n, dimension) float32, the same as they came.
    """

    rows: NDArray[np.float32]
    sent: NDArray[np.float32]

    kind = Kind.VECTOR

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class CodeBatch:
    """rows: (n, ceil(bits / 8)) uint8, unused bits zero."""

    rows: NDArray[np.uint8]
    bits: int

    kind = Kind.CODE

    def __len__(self) -> int:
        return len(self.rows)


Content = CipherBatch | VectorBatch | CodeBatch
