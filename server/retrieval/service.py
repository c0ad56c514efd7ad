"""RetrievalService: each method checks, calls the engine and translates; nothing else."""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from importlib import metadata
from itertools import zip_longest
from typing import ClassVar

from cipherlens.base import Kind, Role
from cipherlens.server.call import Call
from cipherlens.server.config import Limits, ServerConfig
from cipherlens.server.engine import Answer, CodeBatch, Engine, VectorBatch
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.server.fields import (
    check_digest,
    check_item_id,
    check_name,
)
from cipherlens.server.retrieval import answers, content, requests, uploads
from cipherlens.server.retrieval.hits import EncodedResponse, encoded_responses
from cipherlens.server.retrieval.tags import tag_filter
from cipherlens.server.retrieval.together import Question, SharedSearches
from cipherlens.server.storage.records import Collection, StoredItem
from cipherlens.v1 import item_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

_REPORTED_LIBRARIES = (
    "grpcio",
    "faiss-cpu",
    "faiss-gpu",
    "faiss-gpu-cu12",
    "numpy",
    "SQLAlchemy",
    "torch",
    "timm",
)
# Upper bound of the tag and length before an item.
_FIELD_HEADER_BYTES = 6


class RetrievalService:
    """The cloud's side of the protocol over an engine."""

    descriptor: ClassVar = pb.DESCRIPTOR.services_by_name["RetrievalService"]
    writes: ClassVar = {
        "CreateCollection",
        "DeleteCollection",
        "ReplaceCollection",
        "Index",
        "Delete",
        "PushModel",
        "DeleteModel",
    }

    def __init__(self, engine: Engine, config: ServerConfig) -> None:
        self._engine = engine
        self._config = config
        self._limits = config.limits
        searches = SharedSearches(engine, self._checked, self._search_responses)
        self.together = {"Search": searches}

    def GetServerInfo(
        self, request: pb.GetServerInfoRequest, call: Call
    ) -> pb.GetServerInfoResponse:
        """Tell what runs here, where, and what it accepts."""
        return pb.GetServerInfoResponse(
            version=_installed(("cipherlens",))["cipherlens"],
            roles=[Role.CLOUD, Role.OWNER] if self._config.role.has_owner else [Role.CLOUD],
            index_device=str(self._engine.device),
            model_device=self._engine.models.device,
            limits=answers.limits_message(self._limits),
            library_versions=_installed(_REPORTED_LIBRARIES),
        )

    def CreateCollection(
        self, request: pb.CreateCollectionRequest, call: Call
    ) -> pb.CreateCollectionResponse:
        """Make an empty collection."""
        found = self._engine.create_collection(requests.new_collection(request, self._limits), call)
        return pb.CreateCollectionResponse(collection=answers.collection_message(found))

    def GetCollection(
        self, request: pb.GetCollectionRequest, call: Call
    ) -> pb.GetCollectionResponse:
        """Return one collection."""
        found = self._engine.describe(self._named(request.name, "name"))
        return pb.GetCollectionResponse(collection=answers.collection_message(found))

    def ListCollections(
        self, request: pb.ListCollectionsRequest, call: Call
    ) -> pb.ListCollectionsResponse:
        """Return all collections."""
        found = [answers.collection_message(each) for each in self._engine.describe_all()]
        return pb.ListCollectionsResponse(collections=found)

    def DeleteCollection(
        self, request: pb.DeleteCollectionRequest, call: Call
    ) -> pb.DeleteCollectionResponse:
        """Remove a collection."""
        self._engine.drop_collection(self._named(request.name, "name"), call)
        return pb.DeleteCollectionResponse()

    def ReplaceCollection(
        self, request: pb.ReplaceCollectionRequest, call: Call
    ) -> pb.ReplaceCollectionResponse:
        """Let one collection take the name and place of another."""
        found = self._engine.replace_collection(
            self._named(request.name, "name"),
            self._named(request.replacement, "replacement"),
            request.sequence,
            call,
        )
        return pb.ReplaceCollectionResponse(collection=answers.collection_message(found))

    def Index(self, request: pb.IndexRequest, call: Call) -> pb.IndexResponse:
        """Write a batch of items."""
        name = self._named(request.collection)
        heads = requests.item_heads(request.items, self._limits)
        batch = requests.index_content(request, self._limits)
        digest = check_digest("model_digest", request.model_digest)
        written = self._engine.index(
            name,
            heads,
            batch,
            digest,
            call,
            mask_id=request.mask_id,
            collection_uuid=request.collection_uuid,
        )
        return pb.IndexResponse(
            sequence=written.sequence,
            written_count=len(written.changes),
            unchanged_count=written.unchanged_count,
        )

    def Delete(self, request: pb.DeleteRequest, call: Call) -> pb.DeleteResponse:
        """Delete items by id."""
        name = self._named(request.collection)
        ids = requests.item_ids(request.item_ids, self._limits)
        deleted = self._engine.delete(name, ids, requests.up_to_sequence(request), call)
        gone = len(deleted.changes) + deleted.unchanged_count
        return pb.DeleteResponse(sequence=deleted.sequence, deleted_count=gone)

    def Search(self, request: pb.SearchRequest, call: Call) -> EncodedResponse:
        """Rank the collection for each query."""
        question = self._question(request)
        queries = requests.search_queries(request, self._limits)
        answer = self._engine.search(
            question.collection,
            queries,
            question.k,
            question.parameters,
            min_sequence=request.min_sequence,
            seen_sequence=request.seen_sequence,
            model_digest=question.model_digest,
            mask_id=question.mask_id,
            collection_uuid=question.collection_uuid,
            kept=question.kept,
            call=call,
        )
        (response,) = self._search_responses(answer, queries.kind, len(queries))
        if request.item_budget_bytes:
            budget = min(request.item_budget_bytes, self._limits.max_message_bytes - len(response))
            items = self._items_within(question.collection, answer.item_ids(), budget)
            return EncodedResponse(response).with_items(items)
        return EncodedResponse(response)

    def Count(self, request: pb.CountRequest, call: Call) -> pb.CountResponse:
        """Count items."""
        count, sequence = self._engine.count(
            self._named(request.collection),
            tag_filter(request, self._limits),
            min_sequence=request.min_sequence,
            seen_sequence=request.seen_sequence,
            collection_uuid=request.collection_uuid,
            call=call,
        )
        return pb.CountResponse(item_count=count, sequence=sequence)

    def Fetch(self, request: pb.FetchRequest, call: Call) -> Iterator[pb.FetchResponse]:
        """Stream items in the order asked."""
        name = self._named(request.collection)
        ids = requests.item_ids(request.item_ids, self._limits)
        view = requests.item_view(request.view)
        for collection, item_id, found in self._engine.fetch(name, ids):
            call.check()
            yield _fetch_response(collection, item_id, found, view)

    def ListItems(self, request: pb.ListItemsRequest, call: Call) -> pb.ListItemsResponse:
        """List items page by page."""
        name = self._named(request.collection)
        size = request.page_size or self._limits.max_page_size
        if size > self._limits.max_page_size:
            raise LimitExceeded(
                "page_size", limit=self._limits.max_page_size, value=size, unit="items"
            )
        after = _opened_token(request.page_token, self._limits) if request.page_token else ""
        found = self._engine.list_items(name, after=after, size=size + 1)
        more = len(found) > size
        return pb.ListItemsResponse(
            items=[answers.summary_message(each) for each in found[:size]],
            next_page_token=_page_token(found[size - 1].item_id) if more else "",
        )

    def PushModel(
        self, incoming: Iterable[pb.PushModelRequest], call: Call
    ) -> pb.PushModelResponse:
        """Receive a model and set it to work."""
        stream = iter(incoming)
        header = uploads.model_header(next(stream, None), self._limits)
        with self._engine.models.incoming(header.collection) as upload:
            uploads.receive(header, stream, upload)
            record = self._engine.models.push(
                upload, name=header.name, collection=header.collection, call=call
            )
        found = self._engine.describe(header.collection) if header.collection else None
        return pb.PushModelResponse(
            model=answers.model_message(record),
            collection=answers.collection_message(found) if found else None,
        )

    def ListModels(self, request: pb.ListModelsRequest, call: Call) -> pb.ListModelsResponse:
        """Return the models held here."""
        found = [answers.model_message(each) for each in self._engine.models.listed()]
        return pb.ListModelsResponse(models=found)

    def DeleteModel(self, request: pb.DeleteModelRequest, call: Call) -> pb.DeleteModelResponse:
        """Forget a model."""
        self._engine.models.delete(check_digest("digest", request.digest, required=True), call)
        return pb.DeleteModelResponse()

    def _named(self, name: str, field: str = "collection") -> str:
        return check_name(field, name, self._limits)

    def _question(self, request: pb.SearchRequest) -> Question:
        return Question(
            collection=self._named(request.collection),
            k=requests.search_k(request.k, self._limits),
            parameters=requests.search_parameters(request.parameters),
            model_digest=check_digest("model_digest", request.model_digest),
            mask_id=request.mask_id,
            collection_uuid=request.collection_uuid,
            seen_sequence=request.seen_sequence,
            kept=tag_filter(request, self._limits),
        )

    def _checked(
        self, request: pb.SearchRequest
    ) -> tuple[Question, Callable[[bytes], VectorBatch | CodeBatch]]:
        """Return what a request of rows asks, and what checks the rows of others like it."""
        requests.search_queries(request, self._limits)  # so that their number is checked too
        rows = request.codes if request.WhichOneof("queries") == "codes" else request.vectors
        return self._question(request), content.batches_like(rows, self._limits)

    def _search_responses(self, answer: Answer, kind: Kind, count: int) -> list[bytes]:
        """Return the hits of each `count` queries, if they fit into a message."""
        responses = encoded_responses(answer, kind, count)
        limit = self._limits.max_message_bytes
        if max(map(len, responses)) > limit:
            raise InvalidField(
                "k", "the hits of all queries do not fit into one message", limit=f"{limit} bytes"
            )
        return responses

    def _items_within(
        self, name: str, rankings: Sequence[Sequence[str]], budget: int
    ) -> list[item_pb2.StoredItem]:
        """Return hits as stored, best ranks of all queries first, until the next would not fit."""
        sent: list[item_pb2.StoredItem] = []
        for collection, _, item in self._engine.fetch(name, _by_rank(rankings)):
            if not isinstance(item, StoredItem):
                continue
            made = answers.item_message(collection, item)
            budget -= made.ByteSize() + _FIELD_HEADER_BYTES
            if budget < 0:
                break
            sent.append(made)
        return sent


def _by_rank(rankings: Sequence[Sequence[str]]) -> list[str]:
    """Return the ids of all rankings, rank by rank, each once."""
    ranks = zip_longest(*rankings)
    return list(dict.fromkeys(each for rank in ranks for each in rank if each is not None))


def _fetch_response(
    collection: Collection, item_id: str, found: object, view: pb.ItemView.ValueType
) -> pb.FetchResponse:
    if found is None:
        return pb.FetchResponse(item_id=item_id, state=pb.ITEM_STATE_MISSING)
    if not isinstance(found, StoredItem):
        return pb.FetchResponse(item_id=item_id, state=pb.ITEM_STATE_DAMAGED)
    return pb.FetchResponse(
        item_id=item_id,
        state=pb.ITEM_STATE_PRESENT,
        item=_in_view(answers.item_message(collection, found), view),
    )


def _in_view(item: item_pb2.StoredItem, view: pb.ItemView.ValueType) -> item_pb2.StoredItem:
    """Return an item without what the view leaves out."""
    if view != pb.ITEM_VIEW_UNSPECIFIED:
        item.ClearField("sealed_original")
    if view == pb.ITEM_VIEW_HEAD and (content := item.WhichOneof("content")) is not None:
        item.ClearField(content)
    return item


def _page_token(last_id: str) -> str:
    """Return a token that is safe in any text."""
    return base64.urlsafe_b64encode(last_id.encode()).decode()


def _opened_token(token: str, limits: Limits) -> str:
    try:
        last_id = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
        return check_item_id("page_token", last_id, limits)
    except (ValueError, InvalidField) as error:
        raise InvalidField("page_token", "is not one that this server gave") from error


@cache
def _installed(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those of the packages that are installed."""
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
