"""Names of items that come under another key."""

import uuid
from collections.abc import Iterable

from cipherlens.client.core.item import Item
from cipherlens.client.folder.owner_tag import OwnerTags
from cipherlens.client.naming import CONTENT_TAG_BYTES, Named, Naming
from cipherlens.crypto import KeyEntry, Original, is_keyed_id


class MovedNames:
    """Ids, names and tags of the items of one collection, and what they are in the other."""

    def __init__(
        self, old: KeyEntry, old_uuid: uuid.UUID, new: KeyEntry, new_uuid: uuid.UUID
    ) -> None:
        """Take the owner's keys and the UUIDs of the two collections."""
        self._old = Naming(old, old_uuid)
        self._new, self._new_uuid = new, new_uuid
        self._keyed = Naming(new, new_uuid)
        self._readable = Naming(new, new_uuid, readable_ids=True)

    def moved_id(self, item: Named) -> str:
        """Return the id of an item under the new key: that of its name, or the readable one."""
        return self._naming(item).id_of(self._old.name_of(item))

    def owner_tag(
        self, item: Item, original: Original | None, encoder_digest: bytes, tags: Iterable[str]
    ) -> bytes:
        """Return the tag by which indexing a folder will know the item again.

        Without its original that cannot be made: the item counts as changed then.
        """
        if not item.owner_tag:
            return b""
        name, naming = self._old.name_of(item), self._naming(item)
        if original is None:
            return bytes(CONTENT_TAG_BYTES) + naming.sealed(name)
        made = OwnerTags(
            self._new, self._new_uuid, sealed=True, encoder_digest=encoder_digest, naming=naming
        )
        return made.of(name, original.data, tags)

    def _naming(self, item: Named) -> Naming:
        is_keyed = is_keyed_id(item.item_id) and len(item.owner_tag) > CONTENT_TAG_BYTES
        return self._keyed if is_keyed else self._readable
