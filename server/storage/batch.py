"""A batch of items as rows, made before the lock is held that gives their sequences."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import compress, count, repeat
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from cipherlens.server.storage.checksum import checksum, with_sequences
from cipherlens.server.storage.records import NO_TAGS, Change, CipherPixels, ItemTags
from cipherlens.server.storage.rows import (
    body_digest,
    data_digest,
    item_digest,
    name_of,
    tags_part,
)

Row = tuple[Any, ...]

_CONTENT_HEAD = struct.Struct("<II")
_NO_IMAGE = CipherPixels(height=0, width=0, nonce=b"", pixels=b"")


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemBatch:
    """Items to write, in columns, with all of their rows that is known before the sequences are.

    content_digests: 16 bytes each, over all that the owner sent.
    tokens, sealed_tags: of each; None where there are none.
    data: what each is compared by, its representation.
    item_digests, data_digests: over their rows but for the sequences.
    ciphertexts: what stands beside each representation; None where there is neither a
        cipher-image nor a sealed blob.
    """

    ids: list[str]
    revisions: list[int]
    owner_tags: list[bytes]
    sealed_sizes: list[int]
    content_digests: list[bytes]
    tokens: list[bytes | None]
    sealed_tags: list[bytes | None]
    data: list[bytes]
    item_digests: list[bytes]
    data_digests: list[bytes]
    ciphertexts: list[Row | None]

    @classmethod
    def of(
        cls,
        *,
        ids: Sequence[str],
        revisions: Sequence[int],
        owner_tags: Sequence[bytes],
        sealed: Sequence[bytes],
        images: Sequence[CipherPixels | None],
        contents: Sequence[bytes],
        data: Sequence[bytes],
        tags: Sequence[ItemTags] | None = None,
    ) -> Self:
        """Return items as a batch. What is large in them is read once.

        contents: the vectors or codes as the owner sent them; empty beside a cipher-image.
        data: little-endian float32 of unit vectors, or packed codes.
        tags: None where no item has any.
        """
        bodies = list(map(_body, images, sealed))
        tags = [NO_TAGS] * len(ids) if tags is None else tags
        digests = list(map(_content_digest, owner_tags, bodies, contents, tags))
        names = list(map(name_of, ids))
        sizes = list(map(len, sealed))
        tokens = [each.tokens or None for each in tags]
        sealed_tags = [each.sealed or None for each in tags]
        columns = (revisions, repeat(False), owner_tags, sizes, digests, tokens, sealed_tags)
        rows = map(item_digest, names, *columns)
        return cls(
            ids=list(ids),
            revisions=list(revisions),
            owner_tags=list(owner_tags),
            sealed_sizes=sizes,
            content_digests=digests,
            tokens=tokens,
            sealed_tags=sealed_tags,
            data=list(data),
            item_digests=list(rows),
            data_digests=list(map(data_digest, names, data)),
            ciphertexts=list(map(_ciphertext, ids, images, sealed, bodies)),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, wanted: Sequence[bool]) -> Self:
        """Return those of the items that are wanted."""
        columns = {each.name: getattr(self, each.name) for each in fields(self)}
        return type(self)(
            **{name: list(compress(column, wanted)) for name, column in columns.items()}
        )

    def item_rows(self, collection: int, first: int) -> list[Row]:
        """Return the rows of `schema.items`, the first one's sequence given."""
        return list(
            zip(
                repeat(collection),
                self.ids,
                self.revisions,
                count(first),
                repeat(False),
                self.owner_tags,
                self.sealed_sizes,
                self.content_digests,
                self.tokens,
                self.sealed_tags,
                with_sequences(_joined(self.item_digests), first),
                strict=False,
            )
        )

    def ciphertext_rows(self, collection: int) -> list[Row]:
        """Return the rows of `schema.ciphertexts`."""
        return [(collection, *each) for each in self.ciphertexts if each is not None]

    def representation_rows(self, generation: int, first: int) -> list[Row]:
        """Return the rows of `schema.representations`, the first one's sequence given."""
        checksums = with_sequences(_joined(self.data_digests), first)
        return list(
            zip(repeat(generation), self.ids, count(first), self.data, checksums, strict=False)
        )

    def changes(self, first: int) -> tuple[Change, ...]:
        """Return what an index must follow, the first one's sequence given."""
        tokens = (each or b"" for each in self.tokens)
        rows = zip(count(first), self.ids, self.revisions, self.data, tokens, strict=False)
        return tuple(map(Change._make, rows))


def _body(image: CipherPixels | None, sealed: bytes) -> bytes:
    """Return the digest of what is large in an item, empty if there is nothing."""
    return body_digest(image or _NO_IMAGE, sealed) if image or sealed else b""


def _content_digest(owner_tag: bytes, body: bytes, content: bytes, tags: ItemTags) -> bytes:
    """Return 16 bytes over all that the owner sent.

    An embedding differs a little from one batch to the next, and so may a vector that was brought
    to unit length: what was sent speaks, not what was made of it.
    """
    sizes = _CONTENT_HEAD.pack(len(owner_tag), len(body))
    digest = xxh3_128_digest(b"".join((sizes, owner_tag, body, content)))
    return digest if tags == NO_TAGS else xxh3_128_digest(b"".join((digest, *tags_part(*tags))))


def _ciphertext(item_id: str, image: CipherPixels | None, sealed: bytes, body: bytes) -> Row | None:
    """Return the row of what stands beside the representation, but for the collection."""
    if not body:
        return None
    image = image or _NO_IMAGE
    pixels = (image.height, image.width, image.nonce, image.pixels)
    return (item_id, *pixels, sealed, checksum(item_id, body))


def _joined(digests: Sequence[bytes]) -> NDArray[np.uint64]:
    """Return (n, 2) little-endian uint64."""
    return np.frombuffer(b"".join(digests), "<u8").reshape(-1, 2)
