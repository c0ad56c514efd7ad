"""What answers say, as the library's own values."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from google.protobuf.timestamp_pb2 import Timestamp

from cipherlens.base import CipherProfile
from cipherlens.client.core.collection import (
    Collection,
    Generation,
    IndexStatus,
    Limits,
    Model,
    ServerInfo,
)
from cipherlens.client.core.item import Fetched, Hits, Item, ItemState, ItemSummary
from cipherlens.client.errors import UnreadableAnswer
from cipherlens.crypto import CipherImage, Original
from cipherlens.v1 import (
    cipher_image_pb2,
    collection_pb2,
    encryption_service_pb2,
    item_pb2,
    retrieval_service_pb2,
)
from cipherlens.v1.representation_pb2 import Codes
from cipherlens.wire import codes_from, datetime_from, index_choice_from, kind_from, profile_from
from cipherlens.wire.owner import encrypted_from

_STATES = {
    retrieval_service_pb2.ITEM_STATE_PRESENT: ItemState.PRESENT,
    retrieval_service_pb2.ITEM_STATE_MISSING: ItemState.MISSING,
    retrieval_service_pb2.ITEM_STATE_DAMAGED: ItemState.DAMAGED,
}

_Message = TypeVar("_Message")
_Value = TypeVar("_Value")
_Named = TypeVar("_Named", Collection, Generation, IndexStatus, Limits, Model, ServerInfo)


def profile_of(message: cipher_image_pb2.CipherProfile) -> CipherProfile:
    """Return the profile in an answer. Raises UnreadableAnswer if it cannot be true."""
    return _read("a profile that is not known", profile_from, message)


def time_of(message: Timestamp) -> datetime:
    """Return the moment in an answer, in UTC. Raises UnreadableAnswer if no calendar has it."""
    return _read("a time that no calendar has", datetime_from, message)


def cipher_image_from(message: cipher_image_pb2.CipherImage) -> CipherImage:
    """Return the cipher-image in an answer. Raises UnreadableAnswer if its parts do not fit."""
    return _read("a broken cipher-image", encrypted_from, message)


def code_rows_from(message: Codes) -> npt.NDArray[np.uint8]:
    """Return the codes in an answer, (n, ceil(bits / 8)) uint8.

    Raises:
        UnreadableAnswer: they are no whole rows.
    """
    return _read("broken codes", codes_from, message)


def collection_from(message: collection_pb2.Collection) -> Collection:
    """Return the collection in a message.

    Raises:
        UnreadableAnswer: it is of a kind or scheme that this version does not know.
    """
    return _same_names(
        Collection,
        message,
        uuid=_read("a collection not known here", uuid.UUID, message.uuid),
        kind=_read("a collection not known here", kind_from, message.kind),
        profile=profile_of(message.profile) if message.HasField("profile") else None,
        active=_generation(message.active_generation),
        shadow=_generation(message.shadow_generation),
        index_choice=_read("an index not known here", index_choice_from, message.index_choice),
        index=_same_names(IndexStatus, message.index),
        created_at=time_of(message.create_time),
    )


def _generation(message: collection_pb2.Generation) -> Generation | None:
    """Return the generation in a message; None for one that is not set, which has no number."""
    return _same_names(Generation, message) if message.id else None


def model_from(message: retrieval_service_pb2.Model) -> Model:
    """Return the model in a message."""
    return _same_names(
        Model,
        message,
        profile=profile_of(message.profile) if message.HasField("profile") else None,
        created_at=time_of(message.create_time),
    )


def server_info_from(message: retrieval_service_pb2.GetServerInfoResponse) -> ServerInfo:
    """Return the server's description in a message."""
    return _same_names(
        ServerInfo,
        message,
        roles=tuple(message.roles),
        limits=_same_names(Limits, message.limits),
        library_versions=dict(message.library_versions),
    )


def item_from(message: item_pb2.StoredItem, collection_uuid: uuid.UUID) -> Item:
    """Return the stored item in a message.

    Raises:
        UnreadableAnswer: its content is broken.
    """
    content = message.WhichOneof("content")
    if content == "vector" and len(message.vector) % 4:
        raise UnreadableAnswer(f"the server sent a vector of {len(message.vector)} bytes")
    return Item(
        collection_uuid=collection_uuid,
        item_id=message.item_id,
        revision=message.revision,
        sequence=message.sequence,
        owner_tag=message.owner_tag,
        cipher_image=cipher_image_from(message.cipher_image) if content == "cipher_image" else None,
        vector=np.frombuffer(message.vector, "<f4") if content == "vector" else None,
        code=np.frombuffer(message.code, np.uint8) if content == "code" else None,
        sealed_original=message.sealed_original,
        sealed_tags=message.sealed_tags,
    )


def summary_from(message: item_pb2.ItemSummary) -> ItemSummary:
    """Return the summary in a message."""
    return ItemSummary(
        item_id=message.item_id,
        revision=message.revision,
        sequence=message.sequence,
        owner_tag=message.owner_tag,
        sealed_size_bytes=message.sealed_size_bytes,
        sealed_tags=message.sealed_tags,
    )


def fetched_from(
    message: retrieval_service_pb2.FetchResponse, wanted: str | None, collection_uuid: uuid.UUID
) -> Fetched:
    """Return what became of the id that was wanted.

    Raises:
        UnreadableAnswer: the message is about another id, or is not known.
    """
    state = _STATES.get(message.state)
    if state is None:
        raise UnreadableAnswer(f"the server sent an item state that is not known: {message.state}")
    item = item_from(message.item, collection_uuid) if message.HasField("item") else None
    named = {message.item_id} if item is None else {message.item_id, item.item_id}
    if named != {wanted}:
        raise UnreadableAnswer(f"the server sent {sorted(named)} where {wanted!r} was asked for")
    if (item is None) == (state is ItemState.PRESENT):
        raise UnreadableAnswer(f"the server says that item {wanted!r} is {state}, wrongly")
    return Fetched(item_id=message.item_id, state=state, item=item)


def hits_from(
    response: retrieval_service_pb2.SearchResponse,
    items: Iterable[Item] = (),
    *,
    queries: int,
    k: int,
) -> list[Hits]:
    """Return the at most k hits of so many queries; items may be found by all of them.

    Raises:
        UnreadableAnswer: they are of more or fewer queries, more than k, or their arrays are not
            parallel.
    """
    if len(response.results) != queries:
        raise UnreadableAnswer(
            f"the server answered {len(response.results)} queries where {queries} were asked"
        )
    by_id = {item.item_id: item for item in items}
    hits = [_hits_of(result, by_id, response) for result in response.results]
    if any(len(each) > k for each in hits):
        raise UnreadableAnswer(f"the server sent more than the {k} hits that were asked for")
    return hits


def _hits_of(
    result: retrieval_service_pb2.Hits,
    items: Mapping[str, Item],
    response: retrieval_service_pb2.SearchResponse,
) -> Hits:
    # A slice copies a repeated field in half the time that iterating takes.
    found = Hits(
        item_ids=tuple(result.item_ids[:]),
        revisions=tuple(result.revisions[:]),
        similarities=tuple(result.similarities[:]),
        distances=tuple(result.distances[:]),
        items=items,
        sequence=response.sequence,
        generation=response.generation,
    )
    count = len(found.item_ids)
    scores = len(found.similarities), len(found.distances)
    if len(found.revisions) != count or scores not in ((count, 0), (0, count), (count, count)):
        raise UnreadableAnswer("the server sent hits whose ids, scores and revisions differ")
    return found


def original_from(message: encryption_service_pb2.DecryptedImage) -> Original:
    """Return the original in an answer. Raises UnreadableAnswer if it has no media type."""
    return _read("an original of no type", _original, message)


def _original(message: encryption_service_pb2.DecryptedImage) -> Original:
    return Original(media_type=message.media_type, data=message.data)


def _read(what: str, convert: Callable[[_Message], _Value], message: _Message) -> _Value:
    """Return what a message holds. Raises UnreadableAnswer, which says what it is, if it cannot."""
    try:
        return convert(message)
    except ValueError as error:
        raise UnreadableAnswer(f"the server sent {what}: {error}") from error


def _same_names(made: type[_Named], message: Any, **others: Any) -> _Named:
    """Return a value whose fields are those of a message under the same names, but for others."""
    for name in made.__dataclass_fields__:
        if name not in others:
            others[name] = getattr(message, name)
    return made(**others)
