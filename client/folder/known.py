"""What is known of a collection before a run: by its server, and by the owner's own word."""

from collections.abc import Mapping
from dataclasses import dataclass

from cipherlens.client.core.item import ItemSummary
from cipherlens.client.folder.walk import Walk
from cipherlens.client.naming import Naming
from cipherlens.crypto import Manifest, StaleItem


@dataclass(frozen=True, slots=True)
class Known:
    """The items that the server lists, by id, and the manifest, where there is to be one."""

    stored: Mapping[str, ItemSummary]
    manifest: Manifest | None

    @property
    def is_new(self) -> bool:
        """Return whether there is to be a manifest and none was signed yet."""
        return self.manifest is not None and self.manifest.counter == 0

    def is_unchanged(self, item_id: str, owner_tag: bytes) -> bool:
        """Return whether an item is there under a tag, and nothing is to be sent.

        Where there is a manifest it must say the same: an item that the server has put back to an
        older revision, or taken the seal or the tags of, is sent again.
        """
        item = self.stored.get(item_id)
        if item is None or item.owner_tag != owner_tag:
            return False
        if self.manifest is None:
            return True
        listed = self.manifest.items.get(item_id)
        if listed is None or listed.revision != item.revision:
            return False
        here = item.sealed_size_bytes > 0
        return listed.sealed == here and self._has_its_tags(item)

    def tagged(self, item_id: str) -> ItemSummary | None:
        """Return an item with the tags that its owner gave it last; None where it has none.

        Raises:
            StaleItem: the manifest lists tags that the server does not have.
        """
        item = self.stored.get(item_id)
        listed = None if self.manifest is None else self.manifest.items.get(item_id)
        if listed is None or listed.tags is None:
            return item
        if not listed.tags.tokens and (item is None or item.revision <= listed.revision):
            return None
        if item is None or item.revision < listed.revision or not self._has_its_tags(item):
            raise StaleItem(
                "the tags that the manifest lists for it are not on the server: give it tags anew"
            )
        return item

    def _has_its_tags(self, item: ItemSummary) -> bool:
        """Return whether the tags beside an item are those that the manifest lists, if it does."""
        assert self.manifest is not None
        try:
            self.manifest.check_tags(item.item_id, item.revision, item.sealed_tags)
        except StaleItem:
            return False
        return True

    def following_revision(self, item_id: str, now_us: int) -> int:
        """Return the revision of what is to be written: the time, or more.

        A clock that was set back must not make new content look old.
        """
        item = self.stored.get(item_id)
        listed = None if self.manifest is None else self.manifest.items.get(item_id)
        revisions = [each.revision + 1 for each in (item, listed) if each is not None]
        return max(now_us, *revisions) if revisions else now_us

    def lost(self, walk: Walk, naming: Naming) -> list[str]:
        """Return the listed ids of what is neither on the server nor in a folder."""
        if self.manifest is None:
            return []
        here = {naming.id_of(file.name) for file in walk.files}
        return [
            each for each in self.manifest.items if each not in self.stored and each not in here
        ]
