"""Requests that search: queries in batches that the server accepts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cipherlens.client.batches import MESSAGE_MARGIN_BYTES, batched
from cipherlens.client.collection import Limits
from cipherlens.client.features import Rows, put_rows
from cipherlens.crypto import CipherImage
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.v1.cipher_image_pb2 import CipherImages
from cipherlens.wire.owner import encrypted_message

_HIT_NUMBERS_BYTES = 32  # the most that a hit takes beside its id: score, revision and lengths
_QUERY_BYTES = 128  # around the pixels of a cipher-image


@dataclass(frozen=True, kw_only=True, slots=True)
class SearchOptions:
    """How to search; the defaults suit most.

    Attributes:
        nprobe: inverted lists to probe; None for the collection's measured default.
        exact: compare with every item, whatever index there is.
        min_sequence: wait until searches see this change, at most to the deadline.
        model_digest: SHA-256 of the model that must serve; empty for any.
    """

    nprobe: int | None = None
    exact: bool = False
    min_sequence: int = 0
    model_digest: bytes = b""


DEFAULT_OPTIONS = SearchOptions()


def image_requests(
    collection: str, images: Sequence[CipherImage], k: int, options: SearchOptions, limits: Limits
) -> Iterator[messages.SearchRequest]:
    """Yield the requests that search by cipher-images, in the order of the queries."""
    for batch in batched(
        images,
        lambda image: image.pixels.nbytes + _QUERY_BYTES,
        max_bytes=limits.max_message_bytes - MESSAGE_MARGIN_BYTES,
        max_items=_max_queries(k, limits),
    ):
        request = _request(collection, k, options)
        request.cipher_images.CopyFrom(
            CipherImages(images=[encrypted_message(image) for image in batch])
        )
        yield request


def feature_requests(
    collection: str,
    rows: Rows,
    k: int,
    options: SearchOptions,
    limits: Limits,
) -> Iterator[messages.SearchRequest]:
    """Yield the requests that search by vectors (float32 rows) or codes (uint8 rows)."""
    row_bytes = max(1, rows.shape[1] * rows.itemsize)
    fitting = (limits.max_message_bytes - MESSAGE_MARGIN_BYTES) // row_bytes
    step = max(1, min(_max_queries(k, limits), fitting))
    for start in range(0, len(rows), step):
        request = _request(collection, k, options)
        put_rows(request, rows[start : start + step])
        yield request


def _max_queries(k: int, limits: Limits) -> int:
    """Return how many queries one call takes, so that its answer fits into a message too."""
    longest = limits.max_item_id_bytes + _HIT_NUMBERS_BYTES
    fitting = (limits.max_message_bytes - MESSAGE_MARGIN_BYTES) // (longest * max(1, k))
    return max(1, min(limits.max_queries, fitting))


def _request(collection: str, k: int, options: SearchOptions) -> messages.SearchRequest:
    """Return a request that lacks only its queries.

    Raises:
        ValueError: k is below 1.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    parameters = messages.SearchParameters(exact=options.exact)
    if options.nprobe is not None:
        parameters.nprobe = options.nprobe
    return messages.SearchRequest(
        collection=collection,
        k=k,
        parameters=parameters,
        min_sequence=options.min_sequence,
        model_digest=options.model_digest,
    )
