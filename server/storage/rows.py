"""What a row says, once its checksum has been looked at."""

from typing import Any

from sqlalchemy import Row

from cipherlens.base import Kind
from cipherlens.server.storage.checksum import agrees, checksum
from cipherlens.server.storage.records import Change, CipherPixels, Damaged, ItemSummary, StoredItem


def item_checksum(
    item_id: str,
    revision: int,
    sequence: int,
    deleted: bool,
    owner_tag: bytes,
    sealed_size: int,
    digest: bytes,
) -> bytes:
    """Return the checksum of an item's row."""
    return checksum(item_id, revision, sequence, int(deleted), owner_tag, sealed_size, digest)


def ciphertext_checksum(item_id: str, cipher: CipherPixels, sealed: bytes) -> bytes:
    """Return the checksum of a ciphertext's row."""
    return checksum(item_id, cipher.height, cipher.width, cipher.nonce, cipher.pixels, sealed)


def item_is_whole(row: Row[Any]) -> bool:
    """Return whether an item's row agrees with its checksum."""
    return agrees(
        row.checksum,
        row.item_id,
        row.revision,
        row.sequence,
        row.deleted,
        row.owner_tag,
        row.sealed_size,
        row.content_digest,
    )


def summary(row: Row[Any]) -> ItemSummary:
    """Return an item's row that is whole, without ciphertext."""
    return ItemSummary(
        item_id=row.item_id,
        revision=row.revision,
        sequence=row.sequence,
        owner_tag=row.owner_tag,
        sealed_size=row.sealed_size,
    )


def change(row: Row[Any]) -> Change | Damaged:
    """Return what an index must follow, of an item's row joined with its representation."""
    if not item_is_whole(row):
        return _damaged(row, "item row")
    if not row.deleted and not _represented(row):
        return _damaged(row, "representation")
    return Change(
        sequence=row.sequence,
        item_id=row.item_id,
        revision=row.revision,
        representation=None if row.deleted else row.data,
    )


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
    """Return whether the representation is whole and of the item's present state."""
    return row.computed_at == row.sequence and agrees(
        row.data_checksum, row.item_id, row.computed_at, row.data
    )


def _ciphertext_agrees(row: Row[Any]) -> bool:
    parts = (row.item_id, row.height, row.width, row.nonce, row.pixels, row.sealed)
    return agrees(row.ciphertext_checksum, *parts) and len(row.sealed) == row.sealed_size


def _cipher(row: Row[Any]) -> CipherPixels:
    return CipherPixels(height=row.height, width=row.width, nonce=row.nonce, pixels=row.pixels)


def _damaged(row: Row[Any], what: str) -> Damaged:
    return Damaged(item_id=row.item_id, sequence=row.sequence, what=what)
