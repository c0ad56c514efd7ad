"""Tags of items and of filters, checked."""

from collections.abc import Sequence

from cipherlens.base import TAG_TOKEN_BYTES
from cipherlens.server.config import Limits
from cipherlens.server.engine import TagFilter
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.server.fields import check_size
from cipherlens.server.storage.records import NO_TAGS, ItemTags
from cipherlens.v1 import retrieval_service_pb2 as pb


def item_tags(prefix: str, item: pb.IndexItem, limits: Limits) -> ItemTags:
    """Return what an item is filtered by; `prefix` stands before the fields' names."""
    if not item.tag_tokens and not item.sealed_tags:
        return NO_TAGS
    tokens = _tokens(prefix + "tag_tokens", item.tag_tokens, limits)
    check_size(prefix + "sealed_tags", len(item.sealed_tags), limits.max_sealed_tags_bytes)
    return ItemTags(b"".join(tokens), item.sealed_tags)


def tag_filter(request: pb.SearchRequest | pb.CountRequest, limits: Limits) -> TagFilter | None:
    """Return the filter of a request; None for one that keeps everything."""
    asked = request.filter
    kept = TagFilter(
        any_of=_tokens("filter.any_of", asked.any_of, limits),
        all_of=_tokens("filter.all_of", asked.all_of, limits),
        none_of=_tokens("filter.none_of", asked.none_of, limits),
    )
    return None if kept == _EVERYTHING else kept


def _tokens(field: str, tokens: Sequence[bytes], limits: Limits) -> tuple[bytes, ...]:
    """Return tokens if each is one, and none comes twice."""
    if len(tokens) > limits.max_tag_tokens:
        raise LimitExceeded(field, limit=limits.max_tag_tokens, value=len(tokens), unit="number")
    for position, token in enumerate(tokens):
        if len(token) != TAG_TOKEN_BYTES:
            raise InvalidField(
                f"{field}[{position}]", f"must have {TAG_TOKEN_BYTES} bytes", value=len(token)
            )
    if len(set(tokens)) < len(tokens):
        raise InvalidField(field, "must have each token once")
    return tuple(tokens)


_EVERYTHING = TagFilter()
