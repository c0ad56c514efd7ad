"""Collections and models: make them, describe them, drop them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from cipherlens.base import CipherProfile, IndexChoice, Kind
from cipherlens.client.core.answers import collection_from, model_from, server_info_from
from cipherlens.client.core.call import Call, Steps
from cipherlens.client.core.collection import Collection, Limits, Model, ServerInfo
from cipherlens.client.core.methods import (
    CREATE_COLLECTION,
    DELETE_COLLECTION,
    DELETE_MODEL,
    GET_COLLECTION,
    GET_SERVER_INFO,
    LIST_COLLECTIONS,
    LIST_MODELS,
    PUSH_MODEL,
    REPLACE_COLLECTION,
)
from cipherlens.v1 import retrieval_service_pb2 as messages
from cipherlens.wire import index_choice_message, kind_message, profile_message

UploadProgress = Callable[[int, int], None]
"""Called with the bytes sent so far and the bytes of the whole."""


def get_server_info() -> Call[ServerInfo]:
    """Ask what runs at the target and what it accepts."""
    return GET_SERVER_INFO.call(messages.GetServerInfoRequest(), server_info_from)


class KnownLimits:
    """What a server accepts: `yield from` it asks the first time, and is the answer ever after.

    A message may be no larger than the channel takes, whatever the server does.
    """

    def __init__(self, max_message_bytes: int) -> None:
        """Know only the largest message of the channel."""
        self._max_message_bytes = max_message_bytes
        self._known: Limits | None = None

    def __iter__(self) -> Steps[Limits]:
        """Return the limits, asked for unless they are known."""
        if self._known is None:
            info = yield from get_server_info()
            largest = min(info.limits.max_message_bytes, self._max_message_bytes)
            self._known = replace(info.limits, max_message_bytes=largest)
        return self._known


class KnownCollections:
    """Collections as they were when they were first asked for: what never changes about one.

    One that was dropped, and made again or replaced, is known wrongly until it is forgotten.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, Collection] = {}

    def of(self, collection: str | Collection) -> Steps[Collection]:
        """Return the collection of a name; one that is given as it is."""
        if not isinstance(collection, str):
            return collection
        found = self._known.get(collection)
        if found is None:
            found = self._known[collection] = yield from get_collection(collection)
        return found

    def forget(self, collection: str | Collection) -> None:
        """Ask again the next time."""
        self._known.pop(name_of(collection), None)


def create_collection(
    name: str,
    kind: Kind,
    *,
    profile: CipherProfile | None = None,
    dimension: int = 0,
    bits: int = 0,
    encoder_digest: bytes = b"",
    index: IndexChoice | str = IndexChoice.AUTO,
    mask_id: str = "",
) -> Call[Collection]:
    """Make a collection of a kind, with what that kind needs.

    Raises ValueError for an index that is none of `IndexChoice`.
    """
    request = messages.CreateCollectionRequest(
        name=name,
        kind=kind_message(kind),
        profile=None if profile is None else profile_message(profile),
        dimension=dimension,
        bits=bits,
        encoder_digest=encoder_digest,
        index=index_choice_message(IndexChoice(index)),
        mask_id=mask_id,
    )
    return CREATE_COLLECTION.call(request, lambda answer: collection_from(answer.collection))


def get_collection(name: str) -> Call[Collection]:
    """Ask for a collection as it stands now."""
    return GET_COLLECTION.call(
        messages.GetCollectionRequest(name=name), lambda answer: collection_from(answer.collection)
    )


def resolve(collection: str | Collection) -> Steps[Collection]:
    """Return the collection of a name, asked for now; one that is given as it is."""
    if isinstance(collection, str):
        return (yield from get_collection(collection))
    return collection


def name_of(collection: str | Collection) -> str:
    """Return the name that requests use."""
    return collection if isinstance(collection, str) else collection.name


def list_collections() -> Call[list[Collection]]:
    """Ask for all collections."""
    return LIST_COLLECTIONS.call(
        messages.ListCollectionsRequest(),
        lambda answer: [collection_from(message) for message in answer.collections],
    )


def delete_collection(name: str) -> Call[None]:
    """Remove a collection with all its items."""
    return DELETE_COLLECTION.call(messages.DeleteCollectionRequest(name=name), lambda _answer: None)


def replace_collection(name: str, replacement: str, sequence: int) -> Call[Collection]:
    """Remove a collection and give its name to another, unless it is past the sequence."""
    return REPLACE_COLLECTION.call(
        messages.ReplaceCollectionRequest(name=name, replacement=replacement, sequence=sequence),
        lambda answer: collection_from(answer.collection),
    )


def push_model(
    header: messages.ModelHeader,
    chunks: Callable[[], Iterable[bytes]],
    on_progress: UploadProgress | None,
) -> Call[Model]:
    """Upload a checkpoint in chunks, which are taken as they leave, anew for every try."""
    return PUSH_MODEL.call(
        partial(_parts, header, chunks, on_progress), lambda answer: model_from(answer.model)
    )


def list_models() -> Call[list[Model]]:
    """Ask for the models that the server holds."""
    return LIST_MODELS.call(
        messages.ListModelsRequest(),
        lambda answer: [model_from(message) for message in answer.models],
    )


def delete_model(digest: bytes) -> Call[None]:
    """Remove a model that no collection needs."""
    return DELETE_MODEL.call(messages.DeleteModelRequest(digest=digest), lambda _answer: None)


def _parts(
    header: messages.ModelHeader,
    chunks: Callable[[], Iterable[bytes]],
    on_progress: UploadProgress | None,
) -> Iterator[messages.PushModelRequest]:
    """Yield the header and the chunks as the protocol takes them."""
    yield messages.PushModelRequest(header=header)
    sent = 0
    for chunk in chunks():
        yield messages.PushModelRequest(chunk=chunk)
        sent += len(chunk)
        if on_progress is not None:
            on_progress(sent, header.size_bytes)
