"""Stored items: delete, list, fetch."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cipherlens.client.core.answers import fetched_from, summary_from
from cipherlens.client.core.batches import batched
from cipherlens.client.core.call import Call, Method, Steps
from cipherlens.client.core.catalog import KnownLimits, get_collection, name_of
from cipherlens.client.core.collection import Collection, Limits
from cipherlens.client.core.item import Fetched, ItemSummary, ItemView
from cipherlens.client.core.methods import COUNT, DELETE, FETCH, LIST_ITEMS
from cipherlens.client.core.tags import BlindedFilter
from cipherlens.client.errors import UnreadableAnswer
from cipherlens.v1 import retrieval_service_pb2 as messages

_VIEWS = {
    ItemView.FULL: messages.ITEM_VIEW_UNSPECIFIED,
    ItemView.CONTENT: messages.ITEM_VIEW_CONTENT,
    ItemView.HEAD: messages.ITEM_VIEW_HEAD,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some items in the order of their ids; `following` asks for the next ones, if there are."""

    items: list[ItemSummary]
    following: Call["Page"] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemStream:
    """One Fetch: a request, and an answer for every id in turn, each read as it comes."""

    method: Method[messages.FetchResponse]
    request: messages.FetchRequest
    item_ids: Sequence[str]
    collection_uuid: uuid.UUID

    def read(self, number: int, answer: messages.FetchResponse) -> Fetched:
        """Return what became of an id; answers are numbered from 0.

        Raises:
            UnreadableAnswer: the answer is about another id than the one asked for: a sealed
                original opens as the item that it was sealed for, so the name must be checked.
        """
        wanted = self.item_ids[number] if number < len(self.item_ids) else None
        return fetched_from(answer, wanted, self.collection_uuid)

    def after(self, count: int) -> "ItemStream":
        """Return the stream of the ids that are left once so many answers have come."""
        left = self.item_ids[count:]
        asked = self.request
        request = messages.FetchRequest(collection=asked.collection, view=asked.view, item_ids=left)
        return replace(self, request=request, item_ids=left)

    def check_end(self, count: int) -> None:
        """Raise UnreadableAnswer unless as many answers came as there were ids."""
        if count < len(self.item_ids):
            raise UnreadableAnswer(
                f"the server did not say what became of item {self.item_ids[count]!r}"
            )

    def __iter__(self) -> Steps[list[Fetched]]:
        """Yield the stream itself, and return all that a shell has read of it."""
        fetched: list[Fetched] = yield self
        return fetched


def delete_items(
    collection: str | Collection,
    item_ids: Iterable[str],
    limits: KnownLimits,
    up_to_sequence: int | None,
) -> Steps[int]:
    """Delete items and return how many were there.

    up_to_sequence: what was written after it stays; None asks for that of now. It is read once:
        a request that is sent again deletes nothing that came later.
    """
    deleted, name = 0, name_of(collection)
    if up_to_sequence is None:
        up_to_sequence = (yield from get_collection(name)).sequence
    for ids in _id_batches(item_ids, (yield from limits)):
        request = messages.DeleteRequest(
            collection=name, item_ids=ids, up_to_sequence=up_to_sequence
        )
        answer = yield from DELETE.answered(request)
        deleted += answer.deleted_count
    return deleted


def count_items(
    collection: str | Collection, blinded: BlindedFilter | None, min_sequence: int
) -> Call[int]:
    """Count the items that searches find, or those of them that a filter keeps."""
    request = messages.CountRequest(collection=name_of(collection), min_sequence=min_sequence)
    if blinded is not None:
        blinded.put(request)
    return COUNT.call(request, lambda answer: answer.item_count)


def list_page(collection: str, page_size: int, token: str = "") -> Call[Page]:
    """Ask for a page of items."""

    def read(answer: messages.ListItemsResponse) -> Page:
        token = answer.next_page_token
        following = list_page(collection, page_size, token) if token else None
        return Page(items=[summary_from(item) for item in answer.items], following=following)

    request = messages.ListItemsRequest(
        collection=collection, page_size=page_size, page_token=token
    )
    return LIST_ITEMS.call(request, read)


def fetch_streams(
    where: Collection, item_ids: Iterable[str], limits: Limits, view: ItemView = ItemView.FULL
) -> Iterator[ItemStream]:
    """Yield the streams that fetch so much of items, in the order of their ids."""
    for ids in _id_batches(item_ids, limits):
        request = messages.FetchRequest(collection=where.name, item_ids=ids, view=_VIEWS[view])
        yield ItemStream(method=FETCH, request=request, item_ids=ids, collection_uuid=where.uuid)


def _id_batches(item_ids: Iterable[str], limits: Limits) -> Iterator[list[str]]:
    return batched(
        item_ids,
        lambda item_id: len(item_id.encode()),
        max_bytes=limits.max_message_bytes,
        max_items=limits.max_batch_items,
    )
