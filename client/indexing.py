"""Requests that write: items and their content, in batches that the server accepts."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from cipherlens.client.batches import MESSAGE_MARGIN_BYTES, batched
from cipherlens.client.collection import Limits
from cipherlens.client.features import Rows, put_rows
from cipherlens.client.picture import CodedPicture, EncryptedPicture
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.v1.cipher_image_pb2 import CipherImages
from cipherlens.wire.owner import encrypted_message

MAX_BATCH_BYTES = 8 * 2**20
"""What one batch of pictures holds at most, where none of them alone is larger."""

MAX_BATCH_PICTURES = 64
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
        item_ids: the owner's names.
        revisions: one for each.
        owner_tags: one for each.
    """

    item_ids: Sequence[str]
    revisions: Sequence[int]
    owner_tags: Sequence[bytes] = field(repr=False)

    @classmethod
    def of(
        cls,
        item_ids: Sequence[str],
        revisions: Sequence[int] | None,
        owner_tags: Sequence[bytes] | None,
    ) -> "ItemHeads":
        """Return the heads of items; revisions that are not given are the time in nanoseconds.

        It is read once: batches that are sent again carry the same revisions.

        Raises:
            ValueError: the lengths differ.
        """
        count = len(item_ids)
        heads = cls(
            item_ids=item_ids,
            revisions=[time.time_ns()] * count if revisions is None else revisions,
            owner_tags=[b""] * count if owner_tags is None else owner_tags,
        )
        for name in ("revisions", "owner_tags"):
            if len(getattr(heads, name)) != count:
                raise ValueError(
                    f"{name} must be as many as the {count} item_ids, got "
                    f"{len(getattr(heads, name))}"
                )
        return heads

    def message(self, number: int, sealed_original: bytes) -> messages.IndexItem:
        """Return the message of one item."""
        return messages.IndexItem(
            item_id=self.item_ids[number],
            revision=self.revisions[number],
            owner_tag=self.owner_tags[number],
            sealed_original=sealed_original,
        )

    def size_bytes(self, number: int) -> int:
        """Return how many bytes one item takes in a message, rounded up."""
        text = len(self.item_ids[number].encode())
        return _ITEM_OVERHEAD_BYTES + text + len(self.owner_tags[number])


def picture_requests(
    collection: str,
    heads: ItemHeads,
    pictures: Iterable[EncryptedPicture | CodedPicture],
    limits: Limits,
) -> Iterator[messages.IndexRequest]:
    """Yield the requests that write cipher-images or codes; takes the pictures as it goes."""
    for batch in batched(
        enumerate(pictures),
        lambda entry: heads.size_bytes(entry[0]) + entry[1].size_bytes + _ITEM_OVERHEAD_BYTES,
        max_bytes=limits.max_message_bytes - MESSAGE_MARGIN_BYTES,
        max_items=limits.max_batch_items,
    ):
        request = messages.IndexRequest(
            collection=collection,
            items=[heads.message(number, each.sealed_original) for number, each in batch],
        )
        _put_pictures(request, [each for _, each in batch])
        yield request


def feature_requests(
    collection: str,
    heads: ItemHeads,
    rows: Rows,
    sealed: Sequence[bytes],
    limits: Limits,
) -> Iterator[messages.IndexRequest]:
    """Yield the requests that write vectors (float32 rows) or codes (uint8 rows).

    Raises:
        ValueError: the lengths differ.
    """
    count = len(heads.item_ids)
    if len(rows) != count or len(sealed) != count:
        raise ValueError(
            f"item_ids, rows and sealed originals must be as many, got {count}, {len(rows)} "
            f"and {len(sealed)}"
        )
    row_bytes = rows.shape[1] * rows.itemsize
    for numbers in batched(
        range(count),
        lambda number: heads.size_bytes(number) + row_bytes + len(sealed[number]),
        max_bytes=limits.max_message_bytes - MESSAGE_MARGIN_BYTES,
        max_items=limits.max_batch_items,
    ):
        request = messages.IndexRequest(
            collection=collection,
            items=[heads.message(number, sealed[number]) for number in numbers],
        )
        put_rows(request, rows[numbers[0] : numbers[-1] + 1])
        yield request


def joined(results: Iterable[messages.IndexResponse]) -> IndexResult:
    """Return what all batches of a call wrote."""
    sequence = written = unchanged = 0
    for result in results:
        sequence = max(sequence, result.sequence)
        written += result.written_count
        unchanged += result.unchanged_count
    return IndexResult(sequence=sequence, written_count=written, unchanged_count=unchanged)


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
    else:
        request.cipher_images.CopyFrom(
            CipherImages(images=[encrypted_message(image) for image in images])
        )
