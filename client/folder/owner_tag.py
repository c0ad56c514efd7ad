"""Owner tags: how an owner knows again what it stored, and nobody else does.

A tag is the keyed BLAKE3 of item id, picture file and the way it was stored. Its key comes from
the collection's seal key and, for codes, the digest of the hash network, so that codes of another
network count as changed, and a server, which sees the tags, can neither find out whether a
known picture is among them nor tell that two collections hold the same.
"""

import struct
import uuid

from blake3 import blake3

from cipherlens.crypto import KeyEntry

_CONTEXT = "cipherlens 2026-11-21 v1 owner tag key"
_HEAD = struct.Struct("<BI")


class OwnerTags:
    """The tags of one collection."""

    def __init__(
        self,
        key: KeyEntry,
        collection_uuid: uuid.UUID,
        *,
        sealed: bool,
        encoder_digest: bytes = b"",
    ) -> None:
        """Derive the key of the tags.

        Args:
            key: the owner's.
            collection_uuid: where the tags are stored.
            sealed: whether originals are stored too.
            encoder_digest: 32 bytes that name the hash network; empty where there is none.
        """
        seal_key = key.seal_key(collection_uuid)
        self._key = blake3(seal_key + encoder_digest, derive_key_context=_CONTEXT).digest()
        self._sealed = sealed

    def of(self, item_id: str, data: bytes) -> bytes:
        """Return the 32-byte tag of an item id and the bytes of its picture file."""
        name = item_id.encode()
        head = _HEAD.pack(self._sealed, len(name)) + name
        return blake3(head, key=self._key).update(data).digest()
