"""What the storage hands out: plain frozen records, no SQL.

What comes by the thousand is a named tuple, which is made four times as fast as a dataclass.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import CipherProfile, IndexChoice, Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """What never changes about a collection. `id` is its row's number, never shown to callers.

    dimension: numbers in a vector of the kind VECTOR, 0 for the others.
    bits: bits in a code of the kind CODE, 0 for the others.
    profile: what every cipher-image must claim, for the kind CIPHER.
    index_choice: what its maker asked for.
    """

    id: int
    uuid: str
    name: str
    kind: Kind
    dimension: int
    bits: int
    profile: CipherProfile | None
    index_choice: IndexChoice
    created_at_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionState:
    """A collection at one moment: its last change, and the numbers of its generations.

    digest: over all of its row but the sequence.
    """

    collection: Collection
    sequence: int
    active_generation: int | None
    shadow_generation: int | None
    purge_horizon: int
    digest: bytes


class Standing(NamedTuple):
    """How far a collection has come, for who looks whether it has changed."""

    name: str
    sequence: int
    active_generation: int | None
    shadow_generation: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """One way of representing a collection's items: a model, its numeric mode, a key and a mask.

    length: numbers in a vector, or bits in a code.
    """

    id: int
    model_digest: bytes
    numeric_mode: str
    key_fingerprint: bytes
    mask_id: str
    length: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CipherPixels:
    """What differs from one cipher-image to the next; pixels has height * width * 3 bytes."""

    height: int
    width: int
    nonce: bytes
    pixels: bytes

    def array(self) -> NDArray[np.uint8]:
        """Return (height, width, 3) uint8, a view of the bytes."""
        return np.frombuffer(self.pixels, np.uint8).reshape(self.height, self.width, 3)


class ItemTags(NamedTuple):
    """What an item is filtered by: 16 bytes a token, and the tags as their owner sealed them."""

    tokens: bytes
    sealed: bytes


NO_TAGS = ItemTags(b"", b"")


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemSummary:
    """An item without its ciphertext."""

    item_id: str
    revision: int
    sequence: int
    owner_tag: bytes
    sealed_size: int
    sealed_tags: bytes = b""


class Computed(NamedTuple):
    """A representation of an item in the state that a sequence gave it."""

    item_id: str
    sequence: int
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredItem:
    """An item with its ciphertext and, if it has one, its active representation."""

    summary: ItemSummary
    cipher: CipherPixels | None
    sealed: bytes
    representation: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaged:
    """An item whose row, ciphertext or representation does not agree with its checksum."""

    item_id: str
    sequence: int
    what: str


class Change(NamedTuple):
    """One change as an index must follow it. `representation` is None for a deletion."""

    sequence: int
    item_id: str
    revision: int
    representation: bytes | None
    tokens: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What a batch did. `changes` are in sequence order; unchanged items are not among them."""

    changes: tuple[Change, ...]
    sequence: int
    unchanged_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRecord:
    """A model that the server holds. `configuration` is the checkpoint's own JSON document."""

    digest: bytes
    name: str
    size_bytes: int
    configuration: str
    created_at_us: int
