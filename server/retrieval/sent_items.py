"""Stored items as they are sent: beside hits, by Fetch, a page at a time."""

import base64
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField
from cipherlens.server.fields import check_item_id
from cipherlens.server.retrieval.answers import item_message
from cipherlens.server.storage.records import Collection, Damaged, StoredItem
from cipherlens.v1 import item_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

# Upper bound of the tag and length before an item.
_FIELD_HEADER_BYTES = 6


def by_rank(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Return the ids of all rankings, rank by rank, each once."""
    ranks = zip_longest(*rankings)
    return list(dict.fromkeys(each for rank in ranks for each in rank if each is not None))


def items_within(
    budget: int, stored: Iterable[tuple[Collection, str, StoredItem | Damaged | None]]
) -> list[item_pb2.StoredItem]:
    """Return items until the next would take more bytes than there are; none that is damaged."""
    sent: list[item_pb2.StoredItem] = []
    for collection, _, item in stored:
        if not isinstance(item, StoredItem):
            continue
        made = item_message(collection, item)
        budget -= made.ByteSize() + _FIELD_HEADER_BYTES
        if budget < 0:
            break
        sent.append(made)
    return sent


def fetch_response(
    collection: Collection,
    item_id: str,
    found: StoredItem | Damaged | None,
    view: pb.ItemView.ValueType,
) -> pb.FetchResponse:
    """Return what is said of an id: it is missing, damaged, or there, in the view asked for."""
    if found is None:
        return pb.FetchResponse(item_id=item_id, state=pb.ITEM_STATE_MISSING)
    if not isinstance(found, StoredItem):
        return pb.FetchResponse(item_id=item_id, state=pb.ITEM_STATE_DAMAGED)
    return pb.FetchResponse(
        item_id=item_id,
        state=pb.ITEM_STATE_PRESENT,
        item=_in_view(item_message(collection, found), view),
    )


def _in_view(item: item_pb2.StoredItem, view: pb.ItemView.ValueType) -> item_pb2.StoredItem:
    """Return an item without what the view leaves out."""
    if view != pb.ITEM_VIEW_UNSPECIFIED:
        item.ClearField("sealed_original")
    if view == pb.ITEM_VIEW_HEAD and (content := item.WhichOneof("content")) is not None:
        item.ClearField(content)
    return item


def page_token(last_id: str) -> str:
    """Return a token that is safe in any text."""
    return base64.urlsafe_b64encode(last_id.encode()).decode()


def opened_token(token: str, limits: Limits) -> str:
    """Return the id that a page token goes on after. Raises InvalidField."""
    try:
        last_id = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
        return check_item_id("page_token", last_id, limits)
    except (ValueError, InvalidField) as error:
        raise InvalidField("page_token", "is not one that this server gave") from error
