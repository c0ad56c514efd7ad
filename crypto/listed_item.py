"""What a manifest says of one item, and how it stands there."""

import struct
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from cipherlens.base import TAG_TOKEN_BYTES
from cipherlens.crypto.item_tags import MAX_TAGS
from cipherlens.crypto.seal import companion_digest

_ENTRY = struct.Struct("<Q32s?")
_DIGEST_SIZE = 32
_UNKNOWN = 255
"""Stands where a number of tags would, and is above `MAX_TAGS`."""
_MAX_UINT64 = 2**64 - 1


class ListedTags(NamedTuple):
    """The tags of one revision of an item, as its owner sent them: both fields or neither.

    Attributes:
        tokens: 16 bytes each, rising.
        sealed_digest: 32 bytes, `companion_digest` of the sealed tags; empty where there are none.
    """

    tokens: tuple[bytes, ...] = ()
    sealed_digest: bytes = b""

    @classmethod
    def of(cls, tokens: Iterable[bytes], sealed: bytes) -> "ListedTags":
        """Return what is said of tokens, and of the tags that are sealed beside an item."""
        return cls(tuple(sorted(set(tokens))), companion_digest(sealed) if sealed else b"")

    def are_sealed_as(self, sealed: bytes) -> bool:
        """Return whether sealed tags are those that the owner put beside the item."""
        return self.sealed_digest == (companion_digest(sealed) if sealed else b"")


class ListedItem(NamedTuple):
    """What a manifest says of one item.

    Attributes:
        revision: uint64.
        digest: 32 bytes of what it is compared by: `CipherImage.digest`, or `companion_digest` of a
            code's bytes or of a vector's as the server holds it.
        sealed: whether a sealed original stands beside it.
        tags: what it is found by; None where that is not known, as in manifests of format 2.
    """

    revision: int
    digest: bytes
    sealed: bool
    tags: ListedTags | None = None

    def check(self) -> None:
        """Raise ValueError for a field out of its range."""
        if not 0 <= self.revision <= _MAX_UINT64:
            raise ValueError(f"revision must be 0 to {_MAX_UINT64}, got {self.revision}")
        if len(self.digest) != _DIGEST_SIZE:
            raise ValueError(f"digest must be {_DIGEST_SIZE} bytes, got {len(self.digest)}")
        if self.tags is not None:
            _check_tags(self.tags)

    def encode(self, *, with_tags: bool) -> bytes:
        """Return it as it stands in a manifest; `with_tags` as in `decode`."""
        entry = _ENTRY.pack(self.revision, self.digest, self.sealed)
        if not with_tags:
            return entry
        if self.tags is None:
            return entry + bytes([_UNKNOWN])
        tokens, sealed_digest = self.tags
        return b"".join([entry, bytes([len(tokens)]), *tokens, sealed_digest])

    @classmethod
    def decode(cls, data: bytes, offset: int, *, with_tags: bool) -> tuple["ListedItem", int]:
        """Return an item and where the next one begins.

        Args:
            data: the items of a manifest.
            offset: where this one begins in it.
            with_tags: whether it says anything of tags: since format 3 it does.

        Raises:
            struct.error, ValueError, IndexError: it is none.
        """
        item, end = cls(*_ENTRY.unpack_from(data, offset)), offset + _ENTRY.size
        if not with_tags:
            return item, end
        count, end = data[end], end + 1
        if count == _UNKNOWN:
            return item, end
        tags, end = _tags_at(data, end, count)
        return item._replace(tags=tags), end


def _tags_at(data: bytes, start: int, count: int) -> tuple[ListedTags, int]:
    """Return some tags of an item and where they end."""
    between = start + count * TAG_TOKEN_BYTES
    end = between + _DIGEST_SIZE * (count > 0)
    starts = range(start, between, TAG_TOKEN_BYTES)
    tokens = tuple(data[at : at + TAG_TOKEN_BYTES] for at in starts)
    return ListedTags(tokens, data[between:end]), end


def _check_tags(tags: ListedTags) -> None:
    """Raise ValueError unless tags can stand in a manifest."""
    if len(tags.tokens) > MAX_TAGS:
        raise ValueError(f"an item has at most {MAX_TAGS} tags, got {len(tags.tokens)}")
    if any(len(token) != TAG_TOKEN_BYTES for token in tags.tokens):
        raise ValueError(f"a tag's token must be {TAG_TOKEN_BYTES} bytes")
    if any(first >= second for first, second in pairwise(tags.tokens)):
        raise ValueError("tokens of tags must rise")
    wanted = _DIGEST_SIZE if tags.tokens else 0
    if len(tags.sealed_digest) != wanted:
        raise ValueError(
            f"the digest of sealed tags must be {wanted} bytes, got {len(tags.sealed_digest)}"
        )
