"""What a collection holds, with names and tags opened, in the order of the names."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cipherlens.client.client import Client
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Item, ItemSummary, ItemView
from cipherlens.client.core.tags import EVERY_ITEM, TagFilter
from cipherlens.client.errors import NotFound
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.naming import Naming
from cipherlens.client.tagging import Tagging
from cipherlens.client.web.vouching import Vouching
from cipherlens.crypto import Key, NotGranted, OpenError, StaleItem


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An item as people know it.

    Attributes:
        item_id: the id that the server has.
        name: its path; the id, where the key opens no names or this one was altered.
        tags: sorted.
        revision: the owner's.
        sealed_size_bytes: bytes of the sealed original; 0 if there is none.
        problem: why its name or its tags do not open; mostly empty.
    """

    item_id: str
    name: str
    tags: tuple[str, ...]
    revision: int
    sealed_size_bytes: int
    problem: str = ""


class Album:
    """One collection under one key; threads may share it.

    Attributes:
        client: has the key.
        where: the collection as it was when the album was opened.
        vouching: what its items are held to.
        tagging: makes tokens of tags.
    """

    def __init__(self, client: Client, where: Collection, manifests: ManifestFolder) -> None:
        """Take what to list, and where its manifest is kept; nothing is asked for yet.

        Raises:
            ManifestError: the manifest is not the owner's.
        """
        assert client.key is not None
        self.client, self.where = client, where
        self.vouching = Vouching(manifests, client.key, where.uuid)
        self.tagging = Tagging(client.key, where.uuid)
        self._opens = _Opens(client.key, where, self.tagging)
        self._listing = threading.Lock()  # held while the server is asked
        self._sequence = -1  # guarded by it
        self._summaries: dict[str, ItemSummary] = {}  # as is what follows; replaced as a whole
        self._entries: dict[str, Entry] = {}

    @property
    def key(self) -> Key:
        """Return the client's key."""
        assert self.client.key is not None
        return self.client.key

    def refresh(self) -> None:
        """List the collection anew if it has changed.

        Raises:
            NotFound: the collection is gone, or another has its name.
        """
        with self._listing:
            now = self.client.get_collection(self.where.name)
            if now.uuid != self.where.uuid:
                raise NotFound(f"collection {self.where.name!r} is another one by now")
            if now.sequence == self._sequence:
                return
            summaries = {item.item_id: item for item in self.client.list_items(now)}
            made = sorted(map(self._entry, summaries.values()), key=_place)
            self._summaries, self._sequence = summaries, now.sequence
            self._entries = {each.item_id: each for each in made}

    def entries(self, name: str = "", tags: TagFilter = EVERY_ITEM) -> Sequence[Entry]:
        """Return the entries that have a text in their name and fit a filter, by name."""
        wanted = name.casefold()
        return [
            each
            for each in self._entries.values()
            if wanted in each.name.casefold() and _fits(each, tags)
        ]

    def tags(self) -> list[tuple[str, int]]:
        """Return all tags and how many items have each, the most frequent first."""
        counts = Counter(tag for each in self._entries.values() for tag in each.tags)
        return sorted(counts.items(), key=lambda each: (-each[1], each[0]))

    def named(self, item_ids: Iterable[str]) -> dict[str, Entry]:
        """Return the entries of ids; those that are not listed, even anew, are left out."""
        ids = list(item_ids)
        if not all(each in self._entries for each in ids):
            self.refresh()
        return {each: self._entries[each] for each in ids if each in self._entries}

    def stored(self) -> dict[str, ItemSummary]:
        """Return what is listed, by id; whoever takes it does not change it."""
        return self._summaries

    def item(self, item_id: str, view: ItemView = ItemView.FULL) -> Item:
        """Return an item as it is stored, or as much of it as a view says.

        Raises:
            NotFound: it is missing, or damaged.
        """
        (fetched,) = self.client.fetch(self.where, [item_id], view=view)
        if fetched.item is None:
            raise NotFound(f"item {item_id!r} is {fetched.state}")
        return fetched.item

    def _entry(self, item: ItemSummary) -> Entry:
        name, problem = item.item_id, ""
        tags: tuple[str, ...] = ()
        try:
            name, tags = self._opens.of(item)
            self._check_tags(item)
        except (OpenError, StaleItem) as error:
            problem = f"its name or tags: {error}"
        return Entry(
            item_id=item.item_id,
            name=name,
            tags=tags,
            revision=item.revision,
            sealed_size_bytes=item.sealed_size_bytes,
            problem=problem,
        )

    def _check_tags(self, item: ItemSummary) -> None:
        """Raise StaleItem if an item that the manifest lists is without the tags it has there."""
        manifest = self.vouching.manifest
        if manifest is not None and item.item_id in manifest.items:
            manifest.check_tags(item.item_id, item.revision, item.sealed_tags)


class _Opens:
    """Opens names and tags, where the key may."""

    def __init__(self, key: Key, where: Collection, tagging: Tagging) -> None:
        self._naming: Naming | None = None
        self._tagging = tagging
        with suppress(NotGranted):  # who may search and not read sees ids
            self._naming = Naming(key, where.uuid)

    def of(self, item: ItemSummary) -> tuple[str, tuple[str, ...]]:
        """Return name and tags. Raises OpenError if they are not those of the item."""
        if self._naming is None:
            return item.item_id, ()
        return self._naming.name_of(item), tuple(self._tagging.read(item))


def _place(entry: Entry) -> tuple[str, str]:
    return (entry.name.casefold(), entry.item_id)


def _fits(entry: Entry, wanted: TagFilter) -> bool:
    has = set(entry.tags)
    return has.issuperset(wanted.all_of) and has.isdisjoint(wanted.none_of)
