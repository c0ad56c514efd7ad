"""A key at work in this process: what it encrypts, and what it seals."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice

import numpy as np

from cipherlens.client.core.batches import batched, check_count
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.content import Rows
from cipherlens.client.core.indexing import ItemHeads
from cipherlens.client.core.item import Place
from cipherlens.client.core.pictures import EncryptedPicture
from cipherlens.client.core.question import SearchOptions
from cipherlens.client.masking import Masks, stated_key
from cipherlens.client.picture import (
    Picture,
    encrypt_pictures,
    prepare_picture,
    prepare_query,
    read_original,
    seal_beside,
)
from cipherlens.client.tagging import Taggings
from cipherlens.crypto import (
    CipherImage,
    ImageCipher,
    Key,
    Original,
    WrongKey,
    companion_digest,
    mask_id,
)


class KeyInUse:
    """A key and its image cipher in one, so that what one encrypts the same one seals.

    Attributes:
        entry: the key.
        masks: what it puts over vectors and codes.
        tags: what it makes of tags.
    """

    def __init__(self, entry: Key) -> None:
        """Take the key; its cipher is made when it is first needed."""
        self.entry = entry
        self.masks = Masks(entry)
        self.tags = Taggings(entry)

    @cached_property
    def cipher(self) -> ImageCipher:
        """Return the image cipher of the key."""
        return ImageCipher(self.entry)

    def query(self, picture: Picture) -> CipherImage:
        """Return a picture prepared and encrypted, as the server may see it."""
        return self.cipher.encrypt_image(prepare_query(picture, self.cipher.parameters))

    def asked(
        self, where: Collection, rows: Rows, options: SearchOptions
    ) -> tuple[Rows, SearchOptions]:
        """Return vectors or codes and how to search by them, as the server may see it."""
        return self.masks.query(where, rows, self.tags.options(where, options))

    def tagged(
        self, heads: ItemHeads, tags: Sequence[Iterable[str]] | None, where: Collection
    ) -> ItemHeads:
        """Return the heads of items with their tags, as they are sent; None for none."""
        if tags is None:
            return heads
        check_count("tags", tags, len(heads.item_ids))
        blinded = self.tags.of(where.uuid).of_items(tags, heads.places(where.uuid))
        return heads.tagged(blinded)

    def encrypted(
        self, pictures: Iterable[Picture], places: Iterable[Place] | None
    ) -> Iterator[EncryptedPicture]:
        """Yield pictures encrypted, and sealed for their places if there are any.

        No more of them are read at a time than one batch, which is encrypted at once.
        """
        size = self.cipher.parameters
        prepared = (prepare_picture(picture, size) for picture in pictures)
        ahead = None if places is None else iter(places)
        for batch in batched(prepared, lambda picture: picture.size_bytes):
            here = None if ahead is None else list(islice(ahead, len(batch)))
            yield from encrypt_pictures(batch, self.entry, self.cipher, here)

    def sealed(
        self, originals: Sequence[Original | Picture], rows: Rows, places: Sequence[Place]
    ) -> list[bytes]:
        """Return originals sealed beside codes, or beside vectors, which no seal binds."""
        return [
            seal_beside(
                read_original(original),
                companion_digest(row.tobytes() if row.dtype == np.uint8 else b""),
                self.entry,
                place,
            )
            for original, row, place in zip(originals, rows, places, strict=True)
        ]


class KeyHolder:
    """Has a key at work, or none."""

    _in_use: KeyInUse | None = None

    @property
    def key(self) -> Key | None:
        """Return the key that encrypts, seals and opens, if any; it may be set."""
        return None if self._in_use is None else self._in_use.entry

    @key.setter
    def key(self, key: Key | None) -> None:
        """Take a key in place of the one before, and its cipher with it."""
        self._in_use = None if key is None else KeyInUse(key)

    def _mask_id(self, masked: bool | None) -> str:
        """Return the name of the masks of a new collection: of the key, if there is one."""
        if self._in_use is None and masked:
            raise ValueError("masks need a key: make the client with Client(target, key=...)")
        if self._in_use is None or masked is False:
            return ""
        return mask_id(self._in_use.entry.fingerprint)

    @property
    def cipher(self) -> ImageCipher:
        """Return the image cipher of the key; ValueError if there is none."""
        return needed(self._in_use).cipher


def check_key(where: Collection, key: Key) -> None:
    """Return if a collection is of a key, or says nothing of keys.

    Raises:
        WrongKey: it is of another; names both.
    """
    stated = stated_key(where)
    if stated and stated != key.fingerprint:
        raise WrongKey(
            f"collection {where.name!r} is of key {stated.hex()}, "
            f"key {key.name!r} is {key.fingerprint.hex()}"
        )


def needed(key: KeyInUse | None) -> KeyInUse:
    """Return a key that must be there; ValueError if there is none."""
    if key is None:
        raise ValueError("this needs a key: make the client with Client(target, key=...)")
    return key
