"""Owner tags: how an owner knows again what it stored, and nobody else does.

A tag is the keyed BLAKE3 of name, picture file, the item's own tags and the way it was stored, and
after it the sealed name, where the id does not tell it. Its key comes from
the collection's seal key and, for codes, the digest of the hash network, so that codes of another
network count as changed, and a server, which sees the tags, can neither find out whether a
known picture is among them nor tell that two collections hold the same.
"""

import struct
import uuid
from collections.abc import Iterable

from blake3 import blake3

from cipherlens.client.naming import CONTENT_TAG_BYTES, Naming
from cipherlens.crypto import Key, checked_tags

_CONTEXT = "cipherlens 2026-11-21 v1 owner tag key"
_HEAD = struct.Struct("<BI")
_LENGTH = struct.Struct("<I")
_TAGGED = 2  # a bit beside that of `sealed`


class OwnerTags:
    """The tags of one collection."""

    def __init__(
        self,
        key: Key,
        collection_uuid: uuid.UUID,
        *,
        sealed: bool,
        encoder_digest: bytes = b"",
        naming: Naming,
    ) -> None:
        """Derive the key of the tags.

        Args:
            key: the owner's.
            collection_uuid: where the tags are stored.
            sealed: whether originals are stored too.
            encoder_digest: 32 bytes that name the hash network; empty where there is none.
            naming: seals the names.
        """
        seal_key = key.seal_key(collection_uuid)
        self._key = blake3(seal_key + encoder_digest, derive_key_context=_CONTEXT).digest()
        self._sealed = sealed
        self._naming = naming

    def of(self, name: str, data: bytes, item_tags: Iterable[str] = ()) -> bytes:
        """Return the tag of a name, the bytes of its picture file, and what it is found by."""
        encoded, found_by = name.encode(), "\n".join(checked_tags(item_tags)).encode()
        head = _HEAD.pack(self._sealed | _TAGGED * bool(found_by), len(encoded)) + encoded
        if found_by:
            head += _LENGTH.pack(len(found_by)) + found_by
        content_tag = blake3(head, key=self._key).update(data).digest(length=CONTENT_TAG_BYTES)
        return content_tag + self._naming.sealed(name)
