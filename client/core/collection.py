"""Collections, models and servers, as the server describes them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from cipherlens.base import CipherProfile, IndexChoice, Kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """One way of representing a collection's items.

    Attributes:
        id: number of the generation.
        model_digest: SHA-256 of the model or encoder; empty where not stated.
        numeric_mode: precision and processor, such as "cpu-fp32"; empty for ready features.
        item_count: how many items are represented.
        mask_id: the name of the masks over its vectors or codes; empty for none.
    """

    id: int
    model_digest: bytes
    numeric_mode: str
    item_count: int
    mask_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexStatus:
    """How searches are answered at this moment.

    Attributes:
        kind: such as "cosine-flat" or "hamming-ivf".
        nlist: inverted lists, 0 without.
        nprobe: lists probed by default, 0 without.
        device: "cpu" or "cuda:N".
        sequence: the last change that searches see.
    """

    kind: str
    nlist: int
    nprobe: int
    device: str
    sequence: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """A named set of items of one kind.

    Attributes:
        uuid: a name that is dropped and made again gets another.
        name: what requests use.
        kind: what its items are.
        dimension: numbers in a vector; 0 for codes, and for cipher-images until a model is there.
        bits: bits in a code; 0 for the other kinds.
        profile: what every cipher-image in it must claim; only for `Kind.CIPHER`.
        active: the generation that answers searches, if any.
        shadow: the generation being filled by a new model, if any.
        sequence: number of the last change.
        item_count: items that are there now.
        damaged_count: rows that the server found damaged and set aside.
        index_choice: the index that its maker asked for.
        index: how searches are answered.
        created_at: when it was made.
    """

    uuid: uuid.UUID
    name: str
    kind: Kind
    dimension: int
    bits: int
    profile: CipherProfile | None
    active: Generation | None
    shadow: Generation | None
    sequence: int
    item_count: int
    damaged_count: int
    index_choice: IndexChoice
    index: IndexStatus
    created_at: datetime

    @property
    def mask_id(self) -> str:
        """Return what requests name the mask of its vectors or codes by; empty if it has none.

        It names the collection too: under one key each has a mask of its own.
        """
        stated = "" if self.active is None else self.active.mask_id
        return f"{stated}:{self.uuid}" if stated else ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A model that the server holds.

    `digest` is the SHA-256 of its checkpoint; `profile` is None for one trained on plain images.
    """

    digest: bytes
    name: str
    size_bytes: int
    profile: CipherProfile | None
    dimension: int
    backbone: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The largest values that a server accepts, under the names of the protocol."""

    max_message_bytes: int
    max_sealed_bytes: int
    max_batch_items: int
    max_queries: int
    max_k: int
    max_hits: int
    max_image_pixels: int
    max_name_bytes: int
    max_item_id_bytes: int
    max_owner_tag_bytes: int
    max_dimension: int
    max_model_bytes: int
    max_page_size: int
    max_concurrent_calls: int
    max_tag_tokens: int
    max_sealed_tags_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerInfo:
    """What runs at the target, where, and what it accepts."""

    version: str
    roles: tuple[str, ...]
    index_device: str
    model_device: str
    limits: Limits
    library_versions: Mapping[str, str]
