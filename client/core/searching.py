"""Searching: queries in batches that the server accepts, and the items of what they find."""

from collections.abc import Iterable, Iterator, Sequence

from cipherlens.client.core.answers import hits_from, item_from
from cipherlens.client.core.batches import MESSAGE_MARGIN_BYTES, batched
from cipherlens.client.core.call import Steps
from cipherlens.client.core.catalog import KnownLimits, name_of, resolve
from cipherlens.client.core.collection import Collection, Limits
from cipherlens.client.core.content import Rows, put_images
from cipherlens.client.core.item import Hits, Item
from cipherlens.client.core.items import fetch_streams
from cipherlens.client.core.methods import SEARCH
from cipherlens.client.core.question import Question, SearchOptions, max_answered, search_request
from cipherlens.crypto import CipherImage
from cipherlens.v1 import retrieval_service_pb2 as messages

_QUERY_BYTES = 128  # around the pixels of a cipher-image
_ITEMS_SHARE = 2  # of a message: hits that come along take at most half, the rest is fetched

_Part = tuple[messages.SearchRequest, int]
"""A request and how many queries it has."""


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
    parts = _image_parts(name_of(collection), images, k, options, known)
    return (yield from _search(collection, parts, known, with_items=with_items))


def search_rows(
    collection: str | Collection,
    rows: Rows,
    k: int,
    options: SearchOptions,
    limits: KnownLimits,
    *,
    with_items: bool,
) -> Steps[list[Hits]]:
    """Search by vectors or codes that are checked; the hits of every query, in their order."""
    question = Question(name_of(collection), k, options, rows)
    known = yield from limits
    parts = _row_parts(question, rows, question.max_queries(known))
    return (yield from _search(collection, parts, known, with_items=with_items))


def _search(
    collection: str | Collection, parts: Iterable[_Part], limits: Limits, *, with_items: bool
) -> Steps[list[Hits]]:
    """Send requests and return the hits of all their queries, with items if they are wanted."""
    hits: list[Hits] = []
    where = (yield from resolve(collection)) if with_items else None
    for request, queries in parts:
        if where is not None:
            request.item_budget_bytes = limits.max_message_bytes // _ITEMS_SHARE
        answer = yield from SEARCH.answered(request)
        items = () if where is None else (yield from _items_of(answer, where, limits))
        hits += hits_from(answer, items, queries=queries, k=request.k)
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


def _image_parts(
    collection: str, images: Sequence[CipherImage], k: int, options: SearchOptions, limits: Limits
) -> Iterator[_Part]:
    """Yield the requests that search by cipher-images, in the order of the queries."""
    for batch in batched(
        images,
        lambda image: image.pixels.nbytes + _QUERY_BYTES,
        max_bytes=limits.max_message_bytes - MESSAGE_MARGIN_BYTES,
        max_items=max_answered(k, limits),
    ):
        request = search_request(collection, k, options)
        put_images(request, batch)
        yield request, len(batch)


def _row_parts(question: Question, rows: Rows, at_most: int) -> Iterator[_Part]:
    """Yield the requests that search by rows, in their order."""
    for start in range(0, len(rows), at_most):
        part = rows[start : start + at_most]
        yield question.request(part.tobytes()), len(part)
