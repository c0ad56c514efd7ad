"""What is asked of the engine, checked and in memory: collections, items and queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import CipherProfile, IndexChoice, Kind
from cipherlens.server.engine.item_index import Rows
from cipherlens.server.errors import InvalidField, ProfileRefused
from cipherlens.server.storage import ItemBatch
from cipherlens.server.storage.records import NO_TAGS, CipherPixels, Collection, ItemTags


@dataclass(frozen=True, kw_only=True, slots=True)
class NewCollection:
    """A collection to make, with just the fields of its kind set."""

    name: str
    kind: Kind
    dimension: int = 0
    bits: int = 0
    profile: CipherProfile | None = None
    encoder_digest: bytes = b""
    index_choice: IndexChoice = IndexChoice.AUTO
    mask_id: str = ""


class ItemHead(NamedTuple):
    """An item of a batch, apart from what it is compared by."""

    item_id: str
    revision: int
    owner_tag: bytes
    sealed: bytes
    tags: ItemTags = NO_TAGS


@dataclass(frozen=True, slots=True)
class CipherBatch:
    """Cipher-images, and the profiles they claim (as many, in their order).

    rows: None, as a model has to make them.
    """

    kind: ClassVar = Kind.CIPHER
    field: ClassVar = "cipher_images"
    rows: ClassVar[None] = None

    images: list[CipherPixels]
    profiles: list[CipherProfile]

    def __len__(self) -> int:
        return len(self.images)

    def check_fits(self, collection: Collection) -> None:
        """Raise ProfileRefused unless all claim what the collection is for."""
        for profile in set(self.profiles):
            check_profile(collection, profile, "cipher-image")

    def stored_images(self) -> Sequence[CipherPixels | None]:
        """Return the cipher-image of each item."""
        return self.images

    def stored_contents(self) -> list[bytes]:
        """Return what else of the content of each item was sent: nothing."""
        return [b""] * len(self)


@dataclass(frozen=True, slots=True)
class VectorBatch:
    """Vectors.

    rows: (n, dimension) float32 unit vectors.
    sent: (n, dimension) float32, the same as they came.
    """

    kind: ClassVar = Kind.VECTOR
    field: ClassVar = "vectors"

    rows: NDArray[np.float32]
    sent: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    def check_fits(self, collection: Collection) -> None:
        """Raise InvalidField unless they have the collection's dimension."""
        dimension = self.rows.shape[1]
        if dimension != collection.dimension:
            raise InvalidField(
                "vectors.dimension",
                f"collection {collection.name!r} has the dimension {collection.dimension}",
                value=dimension,
            )

    def stored_images(self) -> Sequence[CipherPixels | None]:
        """Return no cipher-image for each item."""
        return [None] * len(self)

    def stored_contents(self) -> list[bytes]:
        """Return each vector as it came."""
        return row_bytes(self.sent)


@dataclass(frozen=True, slots=True)
class CodeBatch:
    """rows: (n, ceil(bits / 8)) uint8, unused bits zero."""

    kind: ClassVar = Kind.CODE
    field: ClassVar = "codes"

    rows: NDArray[np.uint8]
    bits: int

    def __len__(self) -> int:
        return len(self.rows)

    def check_fits(self, collection: Collection) -> None:
        """Raise InvalidField unless they have the collection's bits."""
        if self.bits != collection.bits:
            raise InvalidField(
                "codes.bits",
                f"collection {collection.name!r} has {collection.bits} bits",
                value=self.bits,
            )

    def stored_images(self) -> Sequence[CipherPixels | None]:
        """Return no cipher-image for each item."""
        return [None] * len(self)

    def stored_contents(self) -> list[bytes]:
        """Return each code."""
        return row_bytes(self.rows)


Batch = CipherBatch | VectorBatch | CodeBatch


def item_batch(heads: Sequence[ItemHead], batch: Batch, rows: Rows) -> ItemBatch:
    """Return a batch as it is written; rows are what its items are compared by."""
    ids, revisions, owner_tags, sealed, tags = zip(*heads, strict=True)
    return ItemBatch.of(
        ids=ids,
        revisions=revisions,
        owner_tags=owner_tags,
        sealed=sealed,
        tags=tags,
        images=batch.stored_images(),
        contents=batch.stored_contents(),
        data=row_bytes(rows),
    )


def row_bytes(rows: Rows) -> list[bytes]:
    """Return each row as it travels and is stored: little-endian."""
    data = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<"))
    each: list[bytes] = data.view(f"V{data.shape[1] * data.itemsize}").ravel().tolist()
    return each


def check_profile(collection: Collection, profile: CipherProfile, what: str) -> None:
    """Raise ProfileRefused unless a profile, of `what`, is that of the collection."""
    assert collection.profile is not None  # of the kind CIPHER
    if differences := collection.profile.differences(profile):
        raise ProfileRefused(
            f"the {what} does not fit collection {collection.name!r}: {'; '.join(differences)}",
            {"collection": collection.name, "differences": "; ".join(differences)},
        )
