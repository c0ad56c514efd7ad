"""Requests, checked field by field.

What leaves here is sound; what is not names its field, the limit and the value.
"""

from collections.abc import Sequence

from cipherlens.base import BITS, Kind
from cipherlens.server.config import Limits
from cipherlens.server.engine import Batch, ItemHead, NewCollection
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.server.fields import (
    check_count,
    check_digest,
    check_item_id,
    check_name,
    check_revision,
    check_size,
    invalid_field,
)
from cipherlens.server.index import SearchParameters
from cipherlens.server.retrieval.content import batch_of, profile
from cipherlens.server.retrieval.tags import item_tags
from cipherlens.server.revisions import newest_revision
from cipherlens.v1 import retrieval_service_pb2
from cipherlens.wire import MalformedMessage, index_choice_from, kind_from

_MAX_MASK_ID = 64


def item_ids(ids: Sequence[str], limits: Limits) -> list[str]:
    """Return item ids if each is sound and none comes twice."""
    check_count("item_ids", len(ids), limits.max_batch_items)
    listed = [
        check_item_id(f"item_ids[{position}]", item_id, limits)
        for position, item_id in enumerate(ids)
    ]
    _check_distinct("item_ids[{}]", listed)
    return listed


def up_to_sequence(request: retrieval_service_pb2.DeleteRequest) -> int:
    """Return the change after which items stay."""
    if not request.HasField("up_to_sequence"):
        raise InvalidField("up_to_sequence", "is required: what was written after it stays")
    return request.up_to_sequence


def item_view(view: int) -> retrieval_service_pb2.ItemView.ValueType:
    """Return a view of items that is known."""
    if view not in retrieval_service_pb2.ItemView.values():
        raise InvalidField("view", "is none of ItemView", value=view)
    return retrieval_service_pb2.ItemView.ValueType(view)


def item_heads(items: Sequence[retrieval_service_pb2.IndexItem], limits: Limits) -> list[ItemHead]:
    """Return the items of a batch, apart from their content."""
    check_count("items", len(items), limits.max_batch_items)
    newest = newest_revision()
    heads = []
    for position, item in enumerate(items):
        try:
            heads.append(_item_head("", item, limits, newest))
        except InvalidField:
            _item_head(f"items[{position}].", item, limits, newest)  # names the item that it is
            raise
    _check_distinct("items[{}].item_id", [head.item_id for head in heads])
    return heads


def index_content(request: retrieval_service_pb2.IndexRequest, limits: Limits) -> Batch:
    """Return the content of a batch, as many rows as items."""
    batch = batch_of("content", request.WhichOneof("content"), request, limits)
    if len(batch) != len(request.items):
        raise InvalidField(
            "content",
            f"must have a row for each of the {len(request.items)} items",
            value=len(batch),
        )
    return batch


def search_queries(request: retrieval_service_pb2.SearchRequest, limits: Limits) -> Batch:
    """Return the queries of a search, at least one; with its k they are not too much work."""
    batch = batch_of("queries", request.WhichOneof("queries"), request, limits)
    check_count("queries", len(batch), limits.max_queries)
    hits = len(batch) * request.k
    if hits > limits.max_hits:
        raise LimitExceeded("queries x k", limit=limits.max_hits, value=hits, unit="hits")
    return batch


def search_k(k: int, limits: Limits) -> int:
    """Return k if it is in range."""
    if k < 1:
        raise InvalidField("k", "must be at least 1", value=k)
    if k > limits.max_k:
        raise LimitExceeded("k", limit=limits.max_k, value=k, unit="hits")
    return k


def search_parameters(parameters: retrieval_service_pb2.SearchParameters) -> SearchParameters:
    """Return the knobs of a search."""
    nprobe = parameters.nprobe if parameters.HasField("nprobe") else None
    if nprobe == 0:
        raise InvalidField("parameters.nprobe", "must be at least 1", value=0)
    return SearchParameters(nprobe=nprobe, exact=parameters.exact)


def new_collection(
    request: retrieval_service_pb2.CreateCollectionRequest, limits: Limits
) -> NewCollection:
    """Return a collection to make."""
    try:
        kind = kind_from(request.kind)
        index_choice = index_choice_from(request.index)
    except MalformedMessage as error:
        raise invalid_field("", error) from error
    for field, given, owner in (
        ("dimension", request.dimension != 0, Kind.VECTOR),
        ("bits", request.bits != 0, Kind.CODE),
        ("profile", request.HasField("profile"), Kind.CIPHER),
    ):
        if given != (owner is kind):
            problem = "is required for" if owner is kind else "does not go with"
            raise InvalidField(field, f"{problem} the kind {kind}")
    if request.dimension > limits.max_dimension:
        raise LimitExceeded(
            "dimension", limit=limits.max_dimension, value=request.dimension, unit="numbers"
        )
    if request.bits and request.bits not in BITS:
        raise InvalidField("bits", f"must be one of {BITS}", value=request.bits)
    return NewCollection(
        name=check_name("name", request.name, limits),
        kind=kind,
        dimension=request.dimension,
        bits=request.bits,
        profile=profile("profile", request.profile, limits) if kind is Kind.CIPHER else None,
        encoder_digest=check_digest("encoder_digest", request.encoder_digest),
        index_choice=index_choice,
        mask_id=_mask_id(kind, request.mask_id),
    )


def _mask_id(kind: Kind, mask_id: str) -> str:
    """Return the name of a collection's masks, if it can have any."""
    if not mask_id:
        return ""
    if kind is Kind.CIPHER:
        raise InvalidField("mask_id", f"does not go with the kind {kind}")
    if len(mask_id) > _MAX_MASK_ID or not mask_id.isascii() or not mask_id.isprintable():
        raise InvalidField(
            "mask_id", "must be printable ASCII", limit=_MAX_MASK_ID, value=len(mask_id)
        )
    return mask_id


def _item_head(
    prefix: str, item: retrieval_service_pb2.IndexItem, limits: Limits, newest: int
) -> ItemHead:
    owner_tag, sealed = item.owner_tag, item.sealed_original
    check_size(prefix + "owner_tag", len(owner_tag), limits.max_owner_tag_bytes)
    check_size(prefix + "sealed_original", len(sealed), limits.max_sealed_bytes)
    return ItemHead(
        check_item_id(prefix + "item_id", item.item_id, limits),
        _current_revision(prefix + "revision", item.revision, newest),
        owner_tag,
        sealed,
        item_tags(prefix, item, limits),
    )


def _current_revision(field: str, revision: int, newest: int) -> int:
    if check_revision(field, revision) > newest:
        raise InvalidField(
            field,
            "lies more than a day ahead of this server's clock, in microseconds since 1970",
            limit=newest,
            value=revision,
        )
    return revision


def _check_distinct(field: str, ids: Sequence[str]) -> None:
    """Raise if an id comes twice; `field` is a format that takes the position."""
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    for position, item_id in enumerate(ids):
        if item_id in seen:
            raise InvalidField(
                field.format(position), "stands twice in the batch", value=repr(item_id)
            )
        seen.add(item_id)
