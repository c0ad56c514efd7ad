"""What becomes of tags under a key before they leave: tokens, and the texts sealed."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cached_property

from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Item, ItemSummary, Place
from cipherlens.client.core.question import SearchOptions
from cipherlens.client.core.tags import EVERY_ITEM, BlindedFilter, BlindedTags, TagFilter
from cipherlens.crypto import Key, Manifest, SealedTags, TagTokens, checked_tags

_REMEMBERED = 1024


class Tagging:
    """The tags of one collection under a key."""

    def __init__(self, key: Key, collection_uuid: uuid.UUID) -> None:
        """Take the key; what it makes tokens and seals with is derived when it is needed."""
        self._key, self._uuid = key, collection_uuid
        self._asked: dict[TagFilter, BlindedFilter] = {}

    @cached_property
    def _tokens(self) -> TagTokens:
        return TagTokens(self._key.tag_key(self._uuid))

    @cached_property
    def _sealed(self) -> SealedTags:
        return SealedTags(self._key.seal_key(self._uuid))

    def asked(self, tags: TagFilter) -> BlindedFilter:
        """Return a filter as the server may see it; services ask the same one again and again.

        Raises:
            NotGranted: the key is a granted one that makes no tokens for the collection.
        """
        known = self._asked.get(tags)
        if known is None:
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            known = self._asked[tags] = BlindedFilter(
                collection_uuid=self._uuid,
                any_of=self._tokens.of(tags.any_of),
                all_of=self._tokens.of(tags.all_of),
                none_of=self._tokens.of(tags.none_of),
            )
        return known

    def blinded(self, tags: Iterable[str], item_id: str, revision: int) -> BlindedTags:
        """Return the tags of a revision of an item as they are sent.

        Raises:
            ValueError: one of them is no tag, or there are too many.
            NotGranted: the key may not open what it seals.
        """
        distinct = checked_tags(tags)
        tokens = self._tokens.of(distinct)
        sealed = self._sealed.sealed(distinct, item_id, revision)
        return BlindedTags(collection_uuid=self._uuid, tokens=tokens, sealed=sealed)

    def of_items(self, tags: Sequence[Iterable[str]], places: Sequence[Place]) -> list[BlindedTags]:
        """Return the tags of items as they are sent, as many as places.

        Raises:
            ValueError: one of them is no tag, or an item has too many.
        """
        return [
            self.blinded(each, place.item_id, place.revision)
            for each, place in zip(tags, places, strict=True)
        ]

    def read(self, item: Item | ItemSummary, manifest: Manifest | None = None) -> list[str]:
        """Return the tags of an item, sorted, held to the owner's manifest if it is given.

        Raises:
            ManifestError: it is of another collection.
            StaleItem: it lists others, or not the item.
            OpenError: they are not those that were sealed for this revision.
            NotGranted: the key may not open them.
        """
        if manifest is not None:
            manifest.check_collection(self._uuid)
            manifest.check_tags(item.item_id, item.revision, item.sealed_tags)
        return self._sealed.opened(item.sealed_tags, item.item_id, item.revision)


class Taggings:
    """The tags of all collections under one key."""

    def __init__(self, key: Key) -> None:
        """Take the key; nothing is derived yet."""
        self._key = key
        self._known: dict[uuid.UUID, Tagging] = {}

    def of(self, collection_uuid: uuid.UUID) -> Tagging:
        """Return the tags of a collection."""
        known = self._known.get(collection_uuid)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[collection_uuid] = Tagging(self._key, collection_uuid)
        return known

    def options(self, where: Collection, options: SearchOptions) -> SearchOptions:
        """Return how to search, with tokens in the place of tags."""
        if not options.tags:
            return options
        return replace(options, tags=EVERY_ITEM, blinded=self.of(where.uuid).asked(options.tags))
