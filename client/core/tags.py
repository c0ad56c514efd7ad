"""Tags in requests: tokens in their place, and filters of them."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from cipherlens.crypto import ListedTags, checked_tags
from cipherlens.v1 import retrieval_service_pb2 as messages


@dataclass(frozen=True, kw_only=True, slots=True)
class TagFilter:
    """Which items may be found, by their tags: those that fit all three; as it is, all of them.

    Attributes:
        any_of: at least one of these, if there are any.
        all_of: all of these.
        none_of: none of these.

    Raises:
        ValueError: what is given is no tag, or there are more than 64 in one of the three.
        TypeError: one of the three is a text and not several.
    """

    any_of: Iterable[str] = ()
    all_of: Iterable[str] = ()
    none_of: Iterable[str] = ()

    def __post_init__(self) -> None:
        """Keep the tags as tuples, as they are hashed."""
        for each in fields(self):
            tags = tuple(checked_tags(getattr(self, each.name)))
            object.__setattr__(self, each.name, tags)

    def __bool__(self) -> bool:
        """Return whether it keeps anything out."""
        return any((self.any_of, self.all_of, self.none_of))


EVERY_ITEM = TagFilter()


@dataclass(frozen=True, kw_only=True, slots=True)
class BlindedFilter:
    """A filter as the server has it: of tokens, 16 bytes each, that are made for one collection."""

    collection_uuid: uuid.UUID
    any_of: tuple[bytes, ...] = ()
    all_of: tuple[bytes, ...] = ()
    none_of: tuple[bytes, ...] = ()

    def put(self, request: messages.SearchRequest | messages.CountRequest) -> None:
        """Set it as the filter of a request, which no other collection answers then."""
        request.collection_uuid = str(self.collection_uuid)
        request.filter.any_of.extend(self.any_of)
        request.filter.all_of.extend(self.all_of)
        request.filter.none_of.extend(self.none_of)

    def keeps(self, tokens: Iterable[bytes]) -> bool:
        """Return whether an item that has these tokens may be found."""
        has = set(tokens)
        return (
            has.issuperset(self.all_of)
            and has.isdisjoint(self.none_of)
            and not (self.any_of and has.isdisjoint(self.any_of))
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class BlindedTags:
    """The tags of one revision of an item as they are sent: tokens, and the texts sealed.

    They are made for one collection; `NO_TAGS` are for any.
    """

    collection_uuid: uuid.UUID | None = None
    tokens: tuple[bytes, ...] = ()
    sealed: bytes = field(default=b"", repr=False)

    @property
    def size_bytes(self) -> int:
        """Return how many bytes they take in a message, about."""
        return 18 * len(self.tokens) + len(self.sealed)

    def listed(self) -> ListedTags:
        """Return what a manifest says of them."""
        return ListedTags.of(self.tokens, self.sealed)


NO_TAGS = BlindedTags()


def check_blinded(tags: TagFilter) -> None:
    """Raise ValueError if there are tags left, of which a key makes tokens."""
    if tags:
        raise ValueError("tags need a key: make the client with Client(target, key=...)")
