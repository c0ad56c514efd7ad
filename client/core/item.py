"""Items, where they stand, and hits."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import overload

import numpy as np
import numpy.typing as npt

from cipherlens.crypto import CipherImage, companion_digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where an original stands: it opens nowhere else."""

    collection_uuid: uuid.UUID
    item_id: str
    revision: int


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Item:
    """An item as the server stores it: nothing in it is plain but its id and numbers.

    Attributes:
        collection_uuid: where it stands.
        item_id: the owner's id for it, keyed or readable.
        revision: the owner's revision.
        sequence: the change that wrote it.
        owner_tag: what the owner put there to know it again.
        cipher_image: the cipher-image, in a cipher collection.
        vector: (dimension,) float32 of unit length, in a vector collection.
        code: (ceil(bits / 8),) uint8, in a code collection.
        sealed_original: the original under authenticated encryption; empty if there is none.
        sealed_tags: the owner's tags, the same way.
    """

    collection_uuid: uuid.UUID
    item_id: str
    revision: int
    sequence: int
    owner_tag: bytes
    cipher_image: CipherImage | None = None
    vector: npt.NDArray[np.float32] | None = None
    code: npt.NDArray[np.uint8] | None = None
    sealed_original: bytes = field(default=b"", repr=False)
    sealed_tags: bytes = field(default=b"", repr=False)

    @property
    def place(self) -> Place:
        """Return where it stands."""
        return Place(
            collection_uuid=self.collection_uuid, item_id=self.item_id, revision=self.revision
        )

    def companion_digest(self) -> bytes:
        """Return the 32-byte digest of what stands beside the sealed original.

        A vector has the digest of nothing: the server scales vectors, so their bytes are not the
        owner's, and the seal binds collection, item id and revision only.
        """
        if self.cipher_image is not None:
            return self.cipher_image.digest()
        return companion_digest(b"" if self.code is None else self.code.tobytes())

    def listed_digest(self) -> bytes:
        """Return the 32-byte digest that manifests have of it; a vector has one there, too."""
        if self.vector is not None:
            return companion_digest(self.vector.tobytes())
        return self.companion_digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemSummary:
    """An item without its ciphertext."""

    item_id: str
    revision: int
    sequence: int
    owner_tag: bytes
    sealed_size_bytes: int
    sealed_tags: bytes = field(default=b"", repr=False)


class ItemView(StrEnum):
    """How much of an item is fetched."""

    FULL = "full"
    CONTENT = "content"
    """Without its sealed original."""

    HEAD = "head"
    """Id, numbers and owner tag alone."""


class ItemState(StrEnum):
    """What became of an id that was asked for."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"
    """Its row does not agree with its checksum; index it again to mend it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What became of one id; `item` is there only in the state PRESENT."""

    item_id: str
    state: ItemState
    item: Item | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """One hit of a query.

    Attributes:
        rank: 1 for the best.
        item_id: the owner's id for the item.
        revision: the item's revision.
        similarity: cosine, -1 to 1; None for codes.
        distance: Hamming distance; None for vectors and cipher-images.
        item: the item as stored, if it was asked for and is intact.
    """

    rank: int
    item_id: str
    revision: int
    similarity: float | None
    distance: int | None
    item: Item | None = None


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class Hits(Sequence[Hit]):
    """The hits of one query, best first: parallel arrays, and a sequence of `Hit`.

    Attributes:
        item_ids: the ids.
        revisions: as many.
        similarities: as many cosines, falling; empty for codes.
        distances: as many Hamming distances, rising; empty for the other kinds.
        items: those that came along, by id.
        sequence: the last change that the search saw.
        generation: the generation that answered.
    """

    item_ids: tuple[str, ...]
    revisions: tuple[int, ...]
    similarities: tuple[float, ...] = ()
    distances: tuple[int, ...] = ()
    items: Mapping[str, Item] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    sequence: int = 0
    generation: int = 0

    def __len__(self) -> int:
        return len(self.item_ids)

    @overload
    def __getitem__(self, position: int) -> Hit: ...

    @overload
    def __getitem__(self, position: slice) -> list[Hit]: ...

    def __getitem__(self, position: int | slice) -> Hit | list[Hit]:
        """Return the hit at a position, or those of a slice."""
        numbers = range(len(self))[position]
        if isinstance(numbers, range):
            return [self._hit(number) for number in numbers]
        return self._hit(numbers)

    def __iter__(self) -> Iterator[Hit]:
        return map(self._hit, range(len(self)))

    def _hit(self, number: int) -> Hit:
        item_id = self.item_ids[number]
        return Hit(
            rank=number + 1,
            item_id=item_id,
            revision=self.revisions[number],
            similarity=self.similarities[number] if self.similarities else None,
            distance=self.distances[number] if self.distances else None,
            item=self.items.get(item_id),
        )
