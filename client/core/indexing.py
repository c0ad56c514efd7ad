"""Writing items and their content, in batches that the server accepts."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import time_ns

import numpy as np

from cipherlens.client.core.batches import MESSAGE_MARGIN_BYTES, as_many, batched, check_count
from cipherlens.client.core.call import Steps
from cipherlens.client.core.catalog import KnownLimits, name_of
from cipherlens.client.core.collection import Collection, Limits
from cipherlens.client.core.content import Rows, put_images, put_rows
from cipherlens.client.core.item import Place
from cipherlens.client.core.methods import INDEX
from cipherlens.client.core.pictures import CodedPicture, EncryptedPicture
from cipherlens.client.core.tags import NO_TAGS, BlindedTags
from cipherlens.v1 import retrieval_service_pb2 as messages

_ITEM_OVERHEAD_BYTES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexResult:
    """What a call wrote.

    Attributes:
        sequence: the collection's last change; give it to a search to read it anywhere.
        written_count: items new or replaced.
        unchanged_count: items that were there already, the same.
    """

    sequence: int
    written_count: int
    unchanged_count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemHeads:
    """What goes with every item beside its content; all sequences have the same length.

    Attributes:
        item_ids: the owner's ids.
        revisions: one for each.
        owner_tags: one for each.
        tags: one for each, or none at all.
    """

    item_ids: Sequence[str]
    revisions: Sequence[int]
    owner_tags: Sequence[bytes] = field(repr=False)
    tags: Sequence[BlindedTags] = ()

    @classmethod
    def of(
        cls,
        item_ids: Sequence[str],
        revisions: Sequence[int] | None,
        owner_tags: Sequence[bytes] | None,
        tags: Sequence[BlindedTags] | None = None,
    ) -> "ItemHeads":
        """Return the heads of items; revisions that are not given are the time in microseconds.

        It is read once: batches that are sent again carry the same revisions.

        Raises:
            ValueError: the lengths differ, or tags are made for several collections.
        """
        count = len(item_ids)
        heads = cls(
            item_ids=item_ids,
            revisions=[time_ns() // 1000] * count if revisions is None else revisions,
            owner_tags=[b""] * count if owner_tags is None else owner_tags,
        )
        for name in ("revisions", "owner_tags"):
            check_count(name, getattr(heads, name), count)
        return heads if tags is None else heads.tagged(tags)

    def tagged(self, tags: Sequence[BlindedTags]) -> "ItemHeads":
        """Return the heads with tags, one for each.

        Raises:
            ValueError: there are not as many, or they are made for several collections.
        """
        check_count("tags", tags, len(self.item_ids))
        made_for = {each.collection_uuid for each in tags} - {None}
        if len(made_for) > 1:
            raise ValueError(f"tags must be made for one collection, got {len(made_for)}")
        return replace(self, tags=tags)

    def request(
        self, collection: str, items: Sequence[messages.IndexItem], mask_id: str = ""
    ) -> messages.IndexRequest:
        """Return a request to write some of the items, without their content."""
        made_for = next((each.collection_uuid for each in self.tags if each.collection_uuid), "")
        return messages.IndexRequest(
            collection=collection, items=items, mask_id=mask_id, collection_uuid=str(made_for)
        )

    def places(self, collection_uuid: uuid.UUID) -> list[Place]:
        """Return where the originals of the items will stand in a collection."""
        return [
            Place(collection_uuid=collection_uuid, item_id=item_id, revision=revision)
            for item_id, revision in zip(self.item_ids, self.revisions, strict=True)
        ]

    def message(self, number: int, sealed_original: bytes) -> messages.IndexItem:
        """Return the message of one item."""
        return messages.IndexItem(
            item_id=self.item_ids[number],
            revision=self.revisions[number],
            owner_tag=self.owner_tags[number],
            sealed_original=sealed_original,
            tag_tokens=self._tags(number).tokens,
            sealed_tags=self._tags(number).sealed,
        )

    def size_bytes(self, number: int) -> int:
        """Return how many bytes one item takes in a message, rounded up."""
        text = len(self.item_ids[number].encode())
        tags = self._tags(number).size_bytes
        return _ITEM_OVERHEAD_BYTES + text + len(self.owner_tags[number]) + tags

    def _tags(self, number: int) -> BlindedTags:
        return self.tags[number] if self.tags else NO_TAGS


def index_pictures(
    collection: str | Collection,
    heads: ItemHeads,
    pictures: Iterable[EncryptedPicture | CodedPicture],
    limits: KnownLimits,
) -> Steps[IndexResult]:
    """Write cipher-images or codes, taken as they are needed; see `picture_requests`."""
    known = yield from limits
    return (yield from _write(picture_requests(name_of(collection), heads, pictures, known)))


def index_rows(
    collection: str | Collection,
    heads: ItemHeads,
    rows: Rows,
    sealed: Sequence[bytes],
    limits: KnownLimits,
    mask_id: str = "",
) -> Steps[IndexResult]:
    """Write vectors or codes, and sealed originals, one for each; see `row_requests`."""
    known = yield from limits
    requests = row_requests(name_of(collection), heads, rows, sealed, known, mask_id)
    return (yield from _write(requests))


def picture_requests(
    collection: str,
    heads: ItemHeads,
    pictures: Iterable[EncryptedPicture | CodedPicture],
    limits: Limits,
) -> Iterator[messages.IndexRequest]:
    """Yield the requests that write cipher-images or codes; takes the pictures as it goes.

    Raises:
        ValueError: there are not as many pictures as items.
    """
    for batch in batched(
        enumerate(as_many("pictures", pictures, len(heads.item_ids))),
        lambda entry: heads.size_bytes(entry[0]) + entry[1].size_bytes + _ITEM_OVERHEAD_BYTES,
        max_bytes=limits.max_message_bytes - MESSAGE_MARGIN_BYTES,
        max_items=limits.max_batch_items,
    ):
        items = [heads.message(number, each.sealed_original) for number, each in batch]
        request = heads.request(collection, items)
        _put_pictures(request, [each for _, each in batch])
        yield request


def check_rows(count: int, rows: Rows, sealed: Sequence[bytes]) -> None:
    """Raise ValueError unless there is a row, and a sealed original or none, for every id."""
    if len(rows) != count or len(sealed) != count:
        raise ValueError(
            f"item_ids, rows and sealed originals must be as many, got {count}, {len(rows)} "
            f"and {len(sealed)}"
        )


def row_requests(
    collection: str,
    heads: ItemHeads,
    rows: Rows,
    sealed: Sequence[bytes],
    limits: Limits,
    mask_id: str = "",
) -> Iterator[messages.IndexRequest]:
    """Yield the requests that write vectors (float32 rows) or codes (uint8 rows).

    Raises:
        ValueError: the lengths differ.
    """
    count = len(heads.item_ids)
    check_rows(count, rows, sealed)
    row_bytes = rows.shape[1] * rows.itemsize
    for numbers in batched(
        range(count),
        lambda number: heads.size_bytes(number) + row_bytes + len(sealed[number]),
        max_bytes=limits.max_message_bytes - MESSAGE_MARGIN_BYTES,
        max_items=limits.max_batch_items,
    ):
        items = [heads.message(number, sealed[number]) for number in numbers]
        request = heads.request(collection, items, mask_id)
        put_rows(request, rows[numbers[0] : numbers[-1] + 1])
        yield request


def _write(requests: Iterable[messages.IndexRequest]) -> Steps[IndexResult]:
    """Send requests and return what all of them wrote."""
    sequence = written = unchanged = 0
    for request in requests:
        answer = yield from INDEX.answered(request)
        sequence = max(sequence, answer.sequence)
        written += answer.written_count
        unchanged += answer.unchanged_count
    return IndexResult(sequence=sequence, written_count=written, unchanged_count=unchanged)


def _one_mask(pictures: Sequence[EncryptedPicture | CodedPicture]) -> set[str]:
    """Return the one mask that codes are under. Raises ValueError if they are under several."""
    masks = {each.mask_id for each in pictures if isinstance(each, CodedPicture)}
    if len(masks) != 1:
        raise ValueError("codes must all be under one mask or all under none")
    return masks


def _put_pictures(
    request: messages.IndexRequest, pictures: Sequence[EncryptedPicture | CodedPicture]
) -> None:
    """Set cipher-images, or codes, as the content of a request.

    Raises:
        TypeError: there are both.
    """
    images = [each.cipher_image for each in pictures if isinstance(each, EncryptedPicture)]
    codes = [each.code for each in pictures if isinstance(each, CodedPicture)]
    if images and codes:
        raise TypeError("pictures must all be cipher-images or all be codes")
    if codes:
        put_rows(request, np.stack(codes))
        (request.mask_id,) = _one_mask(pictures)
    else:
        put_images(request, images)
