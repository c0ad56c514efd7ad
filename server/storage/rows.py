"""What a row says, once its checksum has been looked at."""

import struct
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from xxhash import xxh3_128_digest

from cipherlens.base import Kind
from cipherlens.server.storage.checksum import (
    UNREADABLE,
    agrees,
    checksum,
    with_sequence,
)
from cipherlens.server.storage.records import Change, CipherPixels, Damaged, ItemSummary, StoredItem

ITEM_COLUMNS = (
    "item_id",
    "revision",
    "sequence",
    "deleted",
    "owner_tag",
    "sealed_size",
    "content_digest",
    "tokens",
    "sealed_tags",
    "checksum",
)

# Revision and size; whether deleted; lengths of id, tag and digest.
_ITEM_HEAD = struct.Struct("<qq?III")
_TAGS_HEAD = _DATA_HEAD = struct.Struct("<I")


def name_of(item_id: str) -> bytes:
    """Return an id as it is hashed; in a damaged row it may be what is no text."""
    return item_id.encode(errors="surrogateescape")


def item_digest(
    name: bytes,
    revision: int,
    deleted: bool,
    owner_tag: bytes,
    sealed_size: int,
    digest: bytes,
    tokens: bytes | None = None,
    sealed_tags: bytes | None = None,
) -> bytes:
    """Return 16 bytes over an item's row, but for its sequence; its name is the id's.

    Of one without tags they are what they were before there were any.
    """
    sizes = (len(name), len(owner_tag), len(digest))
    head = _ITEM_HEAD.pack(revision, sealed_size, deleted, *sizes)
    if tokens is None and sealed_tags is None:
        return xxh3_128_digest(b"".join((head, name, owner_tag, digest)))
    tags = tags_part(tokens or b"", sealed_tags or b"")
    return xxh3_128_digest(b"".join((head, name, owner_tag, digest, *tags)))


def tags_part(tokens: bytes, sealed_tags: bytes) -> tuple[bytes, bytes, bytes]:
    """Return what stands for tags in a digest."""
    return _TAGS_HEAD.pack(len(tokens)), tokens, sealed_tags


def data_digest(name: bytes, data: bytes) -> bytes:
    """Return 16 bytes over a representation's row, but for its sequence."""
    return xxh3_128_digest(b"".join((_DATA_HEAD.pack(len(name)), name, data)))


def body_digest(cipher: CipherPixels, sealed: bytes) -> bytes:
    """Return 16 bytes over a cipher-image and a sealed blob: all that is large of an item."""
    return checksum(cipher.height, cipher.width, cipher.nonce, cipher.pixels, sealed)


def item_agrees(
    item_id: str,
    revision: int,
    sequence: int,
    deleted: bool,
    owner_tag: bytes,
    sealed_size: int,
    content_digest: bytes,
    tokens: bytes | None,
    sealed_tags: bytes | None,
    stored: bytes,
) -> bool:
    """Return whether an item's row, its columns in their order, agrees with its checksum."""
    try:
        own = (owner_tag, sealed_size, content_digest, tokens, sealed_tags)
        digest = item_digest(name_of(item_id), revision, deleted, *own)
        return with_sequence(digest, sequence) == stored
    except UNREADABLE:
        return False


def representation_agrees(
    item_id: str, sequence: int, computed_at: int, data: bytes, stored: bytes
) -> bool:
    """Return whether a representation is whole and of the item's present state."""
    if computed_at != sequence:
        return False
    try:
        return with_sequence(data_digest(name_of(item_id), data), computed_at) == stored
    except UNREADABLE:
        return False


def ciphertext_agrees(item_id: str, cipher: CipherPixels, sealed: bytes, stored: bytes) -> bool:
    """Return whether what is large of an item agrees with its checksum."""
    try:
        body = body_digest(cipher, sealed)
    except UNREADABLE:
        return False
    return agrees(stored, item_id, body)


def item_is_whole(row: Row[Any]) -> bool:
    """Return whether an item's row agrees with its checksum."""
    return item_agrees(*(getattr(row, name) for name in ITEM_COLUMNS))


def is_whole(row: Row[Any], kind: Kind) -> bool:
    """Return whether an item is whole in every part, the representation too."""
    return not isinstance(stored(row, kind), Damaged) and _represented(row)


def summary(row: Row[Any]) -> ItemSummary:
    """Return an item's row that is whole, without ciphertext."""
    return ItemSummary(
        item_id=row.item_id,
        revision=row.revision,
        sequence=row.sequence,
        owner_tag=row.owner_tag,
        sealed_size=row.sealed_size,
        sealed_tags=row.sealed_tags or b"",
    )


def change(row: Sequence[Any]) -> Change | Damaged:
    """Return what an index must follow, of an item's row and its representation, joined.

    row: ITEM_COLUMNS, then when the representation was computed, its data and its checksum. By
        their places, as their names cost as much as all the rest and a start may read millions.
    """
    item_id, revision, sequence, deleted, _, _, _, tokens, *_ = row
    computed_at, data, checksum_of_data = row[-3:]
    if not item_agrees(*row[:-3]):
        return Damaged(item_id=item_id, sequence=sequence, what="item row")
    if deleted:
        return Change(sequence, item_id, revision, None)
    if not representation_agrees(item_id, sequence, computed_at, data, checksum_of_data):
        return Damaged(item_id=item_id, sequence=sequence, what="representation")
    return Change(sequence, item_id, revision, data, tokens or b"")


def stored(row: Row[Any], kind: Kind) -> StoredItem | Damaged:
    """Return an item, of its row joined with its ciphertext and representation.

    A cipher-image is whole without its representation: a model can make that again.
    """
    if not item_is_whole(row):
        return _damaged(row, "item row")
    has_ciphertext = row.ciphertext_checksum is not None
    if not (_ciphertext_agrees(row) if has_ciphertext else row.sealed_size == 0):
        return _damaged(row, "ciphertext")
    is_cipher = kind is Kind.CIPHER
    if is_cipher and not (has_ciphertext and row.height):
        return _damaged(row, "ciphertext")
    if not is_cipher and not _represented(row):
        return _damaged(row, "representation")
    return StoredItem(
        summary=summary(row),
        cipher=_cipher(row) if is_cipher else None,
        sealed=row.sealed if has_ciphertext else b"",
        representation=row.data or b"",
    )


def _represented(row: Row[Any]) -> bool:
    parts = (row.item_id, row.sequence, row.computed_at, row.data, row.data_checksum)
    return representation_agrees(*parts)


def _ciphertext_agrees(row: Row[Any]) -> bool:
    parts = (row.item_id, _cipher(row), row.sealed, row.ciphertext_checksum)
    return ciphertext_agrees(*parts) and len(row.sealed) == row.sealed_size


def _cipher(row: Row[Any]) -> CipherPixels:
    return CipherPixels(height=row.height, width=row.width, nonce=row.nonce, pixels=row.pixels)


def _damaged(row: Row[Any], what: str) -> Damaged:
    return Damaged(item_id=row.item_id, sequence=row.sequence, what=what)
