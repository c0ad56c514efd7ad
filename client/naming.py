"""What items are called: names that only the holders of a key read, or ids that everybody does."""

import uuid
from collections.abc import Sequence
from typing import Protocol

from cipherlens.client.core.collection import Limits
from cipherlens.crypto import ItemNames, Key, is_keyed_id, longest_name_bytes

CONTENT_TAG_BYTES = 32
"""Length of what an owner tag begins with; the sealed name follows."""


class Named(Protocol):
    """An item, or the summary of one."""

    @property
    def item_id(self) -> str:
        """The id that the server has."""

    @property
    def owner_tag(self) -> bytes:
        """What the owner put beside it."""


class Naming:
    """The names of one collection's items, under a key that opens originals."""

    def __init__(self, key: Key, collection_uuid: uuid.UUID, *, readable_ids: bool = False) -> None:
        """Derive the keys of names.

        Args:
            key: the owner's, or one that may open what he sealed.
            collection_uuid: the collection.
            readable_ids: whether new items have their names as ids.
        """
        self._names = ItemNames(key.seal_key(collection_uuid))
        self._readable_ids = readable_ids

    def id_of(self, name: str) -> str:
        """Return the id under which an item of a name is stored; an id stays what it is."""
        return name if self._readable_ids or is_keyed_id(name) else self._names.id_of(name)

    def ids_of(self, names: Sequence[str]) -> dict[str, str]:
        """Return ids, each with the name that it is of."""
        return {self.id_of(name): name for name in names}

    def sealed(self, name: str) -> bytes:
        """Return what is stored of a name beside an item: nothing where the id tells it."""
        return b"" if self._readable_ids else self._names.sealed(name)

    def name_of(self, item: Named) -> str:
        """Return the name of an item: what was sealed beside its keyed id, or else the id.

        Raises:
            OpenError: the sealed name is of another item or key, or was altered.
        """
        sealed = item.owner_tag[CONTENT_TAG_BYTES:]
        if not sealed or not is_keyed_id(item.item_id):
            return item.item_id
        return self._names.opened(item.item_id, sealed)

    def longest_name_bytes(self, limits: Limits) -> int:
        """Return how many UTF-8 bytes a name may have that a server takes."""
        if self._readable_ids:
            return limits.max_item_id_bytes
        return longest_name_bytes(limits.max_owner_tag_bytes - CONTENT_TAG_BYTES)
