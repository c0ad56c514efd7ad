"""Tags of items, which the server filters by and never reads: keyed tokens, and the texts sealed.

    token  = the first 16 bytes of the keyed BLAKE3 of a tag, under the collection's tag key
    sealed = AES-SIV (RFC 5297) of the tags, sorted, with line feeds between them, a byte 0x80, and
             zeros up to a multiple of 32 bytes; bound to the item's id and revision

Whoever has the tag key, which a grant to search gives, can make the token of any tag; to read what
an item has takes the seal key, as its name does. The encryption is deterministic: equal tags of
one revision are the same write again. Equal tags in two collections have nothing in common.
"""

import unicodedata
from collections.abc import Iterable

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from cipherlens.base import TAG_TOKEN_BYTES
from cipherlens.crypto.errors import OpenError
from cipherlens.crypto.salted import check_seal_key

MAX_TAG_BYTES = 128
"""UTF-8 bytes of a tag."""

MAX_TAGS = 64
"""Tags of an item, and of each list of a filter."""

_SEALED_CONTEXT = "cipherlens 2026-11-26 v1 item tags key"
_SIV_KEY_BYTES = 64
_BLOCK_BYTES = 32
_BETWEEN, _END = b"\n", b"\x80"
_NO_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})


def checked_tag(tag: str) -> str:
    """Return a tag in Unicode's form NFC; small and capital letters stay different.

    Raises:
        ValueError: it is empty, longer than `MAX_TAG_BYTES`, begins or ends with a space, or holds
            what no text has.
    """
    tag = unicodedata.normalize("NFC", tag)
    if not tag or tag != tag.strip():
        raise ValueError(f"a tag must be a text without spaces around it, got {tag!r}")
    if not tag.isprintable() and not _NO_TEXT.isdisjoint(map(unicodedata.category, tag)):
        raise ValueError(f"a tag must hold no control characters, got {tag!r}")
    size = len(tag.encode())
    if size > MAX_TAG_BYTES:
        raise ValueError(f"a tag has at most {MAX_TAG_BYTES} bytes, {tag!r} has {size}")
    return tag


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Return tags as `checked_tag` does, sorted and each once.

    Raises:
        ValueError: one is none, or there are more than `MAX_TAGS`.
        TypeError: a text was given in place of several.
    """
    if isinstance(tags, str):
        raise TypeError(f"tags must be several texts, got the text {tags!r}")
    distinct = sorted(set(map(checked_tag, tags)))
    if len(distinct) > MAX_TAGS:
        raise ValueError(f"at most {MAX_TAGS} tags, got {len(distinct)}")
    return distinct


class TagTokens:
    """What a server has in place of the tags of one collection."""

    def __init__(self, tag_key: bytes) -> None:
        """Take the collection's 32-byte tag key."""
        self._key = tag_key

    def of(self, tags: Iterable[str]) -> tuple[bytes, ...]:
        """Return the tokens of tags, 16 bytes each, each once, in an order that tells nothing."""
        return tuple(sorted(map(self._token, checked_tags(tags))))

    def _token(self, tag: str) -> bytes:
        return blake3(tag.encode(), key=self._key).digest(length=TAG_TOKEN_BYTES)


class SealedTags:
    """The tags of one collection's items as they stand beside them, for their owner."""

    def __init__(self, seal_key: bytes) -> None:
        """Derive the key from the collection's 32-byte seal key; ValueError for another length."""
        check_seal_key(seal_key)
        key = blake3(seal_key, derive_key_context=_SEALED_CONTEXT).digest(length=_SIV_KEY_BYTES)
        self._siv = AESSIV(key)

    def sealed(self, tags: Iterable[str], item_id: str, revision: int) -> bytes:
        """Return tags sealed for one revision of an item; of none there is nothing."""
        checked = checked_tags(tags)
        if not checked:
            return b""
        data = _BETWEEN.join(map(str.encode, checked)) + _END
        padded = data.ljust(-(-len(data) // _BLOCK_BYTES) * _BLOCK_BYTES, b"\0")
        return self._siv.encrypt(padded, _place(item_id, revision))

    def opened(self, sealed: bytes, item_id: str, revision: int) -> list[str]:
        """Return the tags that were sealed for a revision of an item, sorted.

        Raises:
            OpenError: they are of another key, item or revision, or were altered.
        """
        if not sealed:
            return []
        try:
            data = self._siv.decrypt(sealed, _place(item_id, revision))
            text = data.rstrip(b"\0").removesuffix(_END).decode()
        except (InvalidTag, ValueError):
            text = None
        if text is None:  # outside of the handler, so that it carries no cause
            raise OpenError
        return text.split(_BETWEEN.decode())


def _place(item_id: str, revision: int) -> list[bytes]:
    return [item_id.encode(), revision.to_bytes(8, "little")]
