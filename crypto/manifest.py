"""The owner's signed list of what a collection holds.

A manifest lets a user find out that a server hands out an old version of an item, or one that
was deleted. It is, little-endian:

    offset  size  field
         0     4  magic "CLMF"
         4     1  format version, 3
         5    16  collection UUID, big-endian as in its text
        21     8  counter
        29     4  number of items
        33     -  the items, ordered by the bytes of their ids:
                  2 bytes length of the id, the id in UTF-8, 8 bytes revision, 32 bytes digest,
                  1 byte: 1 if a sealed original stands there, else 0,
                  1 byte number of tags, 255 where nothing is known of them; where there are some,
                  16 bytes token of each, rising, and 32 bytes digest of the sealed tags
         -    64  Ed25519 signature of everything before, as `signing` puts it in its context

Format 2, which is read, ends an item before its tags: nothing is known of them.

What a manifest alone cannot show is a ranking that a server makes up: whoever has what the items
are compared by can rank them anew, and the digests tell whether he has.
"""

import struct
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cipherlens.crypto.errors import FormatError, ManifestError, StaleItem
from cipherlens.crypto.key import Key
from cipherlens.crypto.listed_item import ListedItem
from cipherlens.crypto.signing import SIGNATURE_SIZE, Signed, is_signed

_MAGIC = b"CLMF"
_FORMAT_VERSION, _WITHOUT_TAGS = 3, 2
_HEADER = struct.Struct("<4sB16sQI")
_ID_LENGTH = struct.Struct("<H")
_MAX_UINT64 = 2**64 - 1
_MAX_ITEM_ID_SIZE = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Manifest:
    """The state of a collection at one moment of its owner's counting.

    Attributes:
        collection_uuid: the collection.
        counter: uint64; grows with every manifest of the collection.
        items: what it says of every item, by id.
    """

    collection_uuid: uuid.UUID
    counter: int
    items: Mapping[str, ListedItem] = field(repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError for a field out of its range, and keep an unchangeable copy."""
        if not 0 <= self.counter <= _MAX_UINT64:
            raise ValueError(f"counter must be 0 to {_MAX_UINT64}, got {self.counter}")
        for item_id, listed in self.items.items():
            _check_item(item_id, listed)
        object.__setattr__(self, "items", MappingProxyType(dict(self.items)))

    def sign(self, entry: Key) -> bytes:
        """Return this manifest with the signature of a key entry."""
        body = self._encode()
        return body + entry.sign(Signed.MANIFEST, body)

    @classmethod
    def verify(cls, data: bytes, public_key: bytes, *, minimum_counter: int = 0) -> "Manifest":
        """Return the manifest that the holder of a key signed.

        Args:
            data: what `sign` returned.
            public_key: 32 bytes, `KeyEntry.verify_key` of the owner.
            minimum_counter: the highest counter seen before; a server may hold back new
                manifests as well as new items.

        Raises:
            ManifestError: the signature is not this owner's.
            FormatError: signed, but not a manifest that this version reads.
            StaleItem: the counter is below minimum_counter.
        """
        body, signature = data[:-SIGNATURE_SIZE], data[-SIGNATURE_SIZE:]
        if not is_signed(public_key, Signed.MANIFEST, body, signature):
            raise ManifestError("the manifest does not carry the owner's signature")
        try:
            manifest = cls._decode(body)
        except (ValueError, IndexError, struct.error) as error:
            raise FormatError(f"not a manifest that this version reads: {error}") from error
        if manifest.counter < minimum_counter:
            raise StaleItem(
                f"the manifest has counter {manifest.counter}, {minimum_counter} was seen before"
            )
        return manifest

    def check_collection(self, collection_uuid: uuid.UUID) -> None:
        """Return if it is of a collection. Raises ManifestError if it is of another."""
        if self.collection_uuid != collection_uuid:
            raise ManifestError(
                f"the manifest is of collection {self.collection_uuid}, not of {collection_uuid}"
            )

    def check(
        self,
        item_id: str,
        revision: int,
        digest: bytes,
        *,
        sealed: bool | None,
        sealed_tags: bytes,
    ) -> None:
        """Return if an item is what the owner signed, or is newer and has a seal of its own.

        Args:
            item_id: the item.
            revision: the one that the server gave.
            digest: 32 bytes, as in `ListedItem`.
            sealed: whether the server gave a sealed original; None if it was not asked for one.
            sealed_tags: what it gave of the item's tags.

        Raises:
            StaleItem: it is not; says how it differs.
        """
        listed = self.listed(item_id)
        if revision < listed.revision:
            raise StaleItem(
                f"item {item_id!r} has revision {revision}, "
                f"manifest {self.counter} has {listed.revision}"
            )
        if revision > listed.revision:
            if not sealed:
                raise StaleItem(
                    f"item {item_id!r} has revision {revision} and no seal to vouch for it; "
                    f"manifest {self.counter} has {listed.revision}"
                )
        elif digest != listed.digest:
            raise StaleItem(
                f"item {item_id!r} has another digest than revision {revision} "
                f"in manifest {self.counter}"
            )
        elif listed.sealed and sealed is False:
            raise StaleItem(
                f"item {item_id!r} has no sealed original, manifest {self.counter} says it has one"
            )
        self.check_tags(item_id, revision, sealed_tags)

    def check_tags(self, item_id: str, revision: int, sealed_tags: bytes) -> None:
        """Return if the tags beside an item are those that are listed, or are not known.

        They are not known of another revision than the listed one, and of what stands in a
        manifest that says nothing of tags. Raises StaleItem if others are there.
        """
        listed = self.listed(item_id)
        if revision != listed.revision or listed.tags is None:
            return
        if not listed.tags.are_sealed_as(sealed_tags):
            found = "other tags than" if sealed_tags else "no tags, not those that"
            raise StaleItem(
                f"item {item_id!r} has {found} revision {revision} has in manifest {self.counter}"
            )

    def listed(self, item_id: str) -> ListedItem:
        """Return what is said of an item. Raises StaleItem if nothing is."""
        if item_id not in self.items:
            raise StaleItem(f"item {item_id!r} is not in manifest {self.counter}")
        return self.items[item_id]

    def _encode(self, version: int = _FORMAT_VERSION) -> bytes:
        """Return the one encoding that is signed, in a format."""
        header = _HEADER.pack(
            _MAGIC, version, self.collection_uuid.bytes, self.counter, len(self.items)
        )
        parts = [header]
        for item_id, listed in sorted((name.encode(), each) for name, each in self.items.items()):
            entry = listed.encode(with_tags=version != _WITHOUT_TAGS)
            parts += [_ID_LENGTH.pack(len(item_id)), item_id, entry]
        return b"".join(parts)

    @classmethod
    def _decode(cls, body: bytes) -> "Manifest":
        """Return the manifest of a signed encoding; raises ValueError, IndexError, struct.error."""
        magic, version, collection, counter, count = _HEADER.unpack_from(body)
        if magic != _MAGIC or version not in {_FORMAT_VERSION, _WITHOUT_TAGS}:
            raise ValueError("magic or version is wrong")
        items: dict[str, ListedItem] = {}
        offset = _HEADER.size
        for _ in range(count):
            (size,) = _ID_LENGTH.unpack_from(body, offset)
            start = offset + _ID_LENGTH.size
            item_id = body[start : start + size].decode()
            with_tags = version != _WITHOUT_TAGS
            items[item_id], offset = ListedItem.decode(body, start + size, with_tags=with_tags)
        manifest = cls(collection_uuid=uuid.UUID(bytes=collection), counter=counter, items=items)
        if manifest._encode(version) != body:
            raise ValueError("it is not in its one encoding")
        return manifest


def _check_item(item_id: str, listed: ListedItem) -> None:
    """Raise ValueError unless an item can stand in a manifest."""
    size = len(item_id.encode())
    if not 1 <= size <= _MAX_ITEM_ID_SIZE:
        raise ValueError(f"item_id must be 1 to {_MAX_ITEM_ID_SIZE} bytes, got {size}")
    listed.check()
