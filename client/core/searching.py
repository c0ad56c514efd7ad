"""Searching: queries in batches that the server accepts, and the items of what they find."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cipherlens.client.core.answers import hits_from, item_from
from cipherlens.client.core.batches import MESSAGE_MARGIN_BYTES, batched
from cipherlens.client.core.call import Steps
from cipherlens.client.core.catalog import KnownLimits, name_of, resolve
from cipherlens.client.core.collection import Collection, Limits
from cipherlens.client.core.content import Rows, code_rows, put_images, put_rows, vector_rows
from cipherlens.client.core.item import Hits, Item
from cipherlens.client.core.items import fetch_streams
from cipherlens.client.core.methods import SEARCH
from cipherlens.crypto import CipherImage
from cipherlens.v1 import retrieval_service_pb2 as messages

_HIT_NUMBERS_BYTES = 32  # the most that a hit takes beside its id: score, revision and lengths
_QUERY_BYTES = 128  # around the pixels of a cipher-image
_ITEMS_SHARE = 2  # of a message: hits that come along take at most half, the rest is fetched


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


def search_images(
    collection: str | Collection,
    images: Sequence[CipherImage],
    k: int,
    options: SearchOptions,
    limits: KnownLimits,
    *,
    with_items: bool,
) -> Steps[list[Hits]]:
    """Search by cipher-images; the hits of every query, in their order."""
    known = yield from limits
    requests = _image_requests(name_of(collection), images, k, options, known)
    return (yield from _search(collection, requests, known, with_items=with_items))


def search_vectors(
    collection: str | Collection,
    vectors: npt.ArrayLike,
    k: int,
    options: SearchOptions,
    limits: KnownLimits,
    *,
    with_items: bool,
) -> Steps[list[Hits]]:
    """Search by vectors, which are checked first; the hits of every query, in their order."""
    rows, known = vector_rows(vectors), (yield from limits)
    requests = _row_requests(name_of(collection), rows, k, options, known)
    return (yield from _search(collection, requests, known, with_items=with_items))


def search_codes(
    collection: str | Collection,
    codes: npt.NDArray[np.uint8],
    k: int,
    options: SearchOptions,
    limits: KnownLimits,
    *,
    with_items: bool,
) -> Steps[list[Hits]]:
    """Search by codes, which are checked first; the hits of every query, in their order."""
    rows, known = code_rows(codes), (yield from limits)
    requests = _row_requests(name_of(collection), rows, k, options, known)
    return (yield from _search(collection, requests, known, with_items=with_items))


def _search(
    collection: str | Collection,
    requests: Iterable[messages.SearchRequest],
    limits: Limits,
    *,
    with_items: bool,
) -> Steps[list[Hits]]:
    """Send requests and return the hits of all their queries, with items if they are wanted."""
    hits: list[Hits] = []
    where = (yield from resolve(collection)) if with_items else None
    for request in requests:
        if where is not None:
            request.item_budget_bytes = limits.max_message_bytes // _ITEMS_SHARE
        answer = yield from SEARCH.answered(request)
        items = () if where is None else (yield from _items_of(answer, where, limits))
        hits += hits_from(answer, items)
    return hits


def _items_of(
    answer: messages.SearchResponse, where: Collection, limits: Limits
) -> Steps[list[Item]]:
    """Return the items of all hits: those that came along, the rest fetched."""
    items = [item_from(message, where.uuid) for message in answer.items]
    here = {item.item_id for item in items}
    wanted = dict.fromkeys(name for result in answer.results for name in result.item_ids)
    missing = [name for name in wanted if name not in here]
    for stream in fetch_streams(where, missing, limits):
        fetched = yield from stream
        items += [found.item for found in fetched if found.item is not None]
    return items


def _image_requests(
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
        put_images(request, batch)
        yield request


def _row_requests(
    collection: str, rows: Rows, k: int, options: SearchOptions, limits: Limits
) -> Iterator[messages.SearchRequest]:
    """Yield the requests that search by vectors or codes, in the order of the rows."""
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
    request = messages.SearchRequest(
        collection=collection,
        k=k,
        min_sequence=options.min_sequence,
        model_digest=options.model_digest,
    )
    request.parameters.exact = options.exact
    if options.nprobe is not None:
        request.parameters.nprobe = options.nprobe
    return request
