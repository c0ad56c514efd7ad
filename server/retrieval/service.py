"""RetrievalService: each method checks, calls the engine and translates; nothing else."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import metadata
from typing import ClassVar

from cipherlens.base import Kind, Role
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.engine import Answer, CodeBatch, Engine, Question, VectorBatch
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.server.fields import check_digest, check_name
from cipherlens.server.retrieval import answers, content, requests, uploads
from cipherlens.server.retrieval.hits import EncodedResponse, encoded_responses
from cipherlens.server.retrieval.sent_items import (
    by_rank,
    fetch_response,
    items_within,
    opened_token,
    page_token,
)
from cipherlens.server.retrieval.tags import tag_filter
from cipherlens.server.retrieval.together import SharedSearches
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
        found = self._engine.collections.create(
            requests.new_collection(request, self._limits), call
        )
        return pb.CreateCollectionResponse(collection=answers.collection_message(found))

    def GetCollection(
        self, request: pb.GetCollectionRequest, call: Call
    ) -> pb.GetCollectionResponse:
        """Return one collection."""
        found = self._engine.collections.describe(self._named(request.name, "name"))
        return pb.GetCollectionResponse(collection=answers.collection_message(found))

    def ListCollections(
        self, request: pb.ListCollectionsRequest, call: Call
    ) -> pb.ListCollectionsResponse:
        """Return all collections."""
        found = [
            answers.collection_message(each) for each in self._engine.collections.describe_all()
        ]
        return pb.ListCollectionsResponse(collections=found)

    def DeleteCollection(
        self, request: pb.DeleteCollectionRequest, call: Call
    ) -> pb.DeleteCollectionResponse:
        """Remove a collection."""
        self._engine.collections.drop(self._named(request.name, "name"), call)
        return pb.DeleteCollectionResponse()

    def ReplaceCollection(
        self, request: pb.ReplaceCollectionRequest, call: Call
    ) -> pb.ReplaceCollectionResponse:
        """Let one collection take the name and place of another."""
        found = self._engine.collections.replace(
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
        written = self._engine.items.index(
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
        deleted = self._engine.items.delete(name, ids, requests.up_to_sequence(request), call)
        gone = len(deleted.changes) + deleted.unchanged_count
        return pb.DeleteResponse(sequence=deleted.sequence, deleted_count=gone)

    def Search(self, request: pb.SearchRequest, call: Call) -> EncodedResponse:
        """Rank the collection for each query."""
        question = self._question(request)
        queries = requests.search_queries(request, self._limits)
        answer = self._engine.searches.search(
            question, queries, min_sequence=request.min_sequence, call=call
        )
        (response,) = self._search_responses(answer, queries.kind, len(queries))
        if request.item_budget_bytes:
            budget = min(request.item_budget_bytes, self._limits.max_message_bytes - len(response))
            stored = self._engine.items.fetch(question.collection, by_rank(answer.item_ids()))
            return EncodedResponse(response).with_items(items_within(budget, stored))
        return EncodedResponse(response)

    def Count(self, request: pb.CountRequest, call: Call) -> pb.CountResponse:
        """Count items."""
        count, sequence = self._engine.searches.count(
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
        for collection, item_id, found in self._engine.items.fetch(name, ids):
            call.check()
            yield fetch_response(collection, item_id, found, view)

    def ListItems(self, request: pb.ListItemsRequest, call: Call) -> pb.ListItemsResponse:
        """List items page by page."""
        name = self._named(request.collection)
        size = request.page_size or self._limits.max_page_size
        if size > self._limits.max_page_size:
            raise LimitExceeded(
                "page_size", limit=self._limits.max_page_size, value=size, unit="items"
            )
        after = opened_token(request.page_token, self._limits) if request.page_token else ""
        found = self._engine.items.listed(name, after=after, size=size + 1)
        more = len(found) > size
        return pb.ListItemsResponse(
            items=[answers.summary_message(each) for each in found[:size]],
            next_page_token=page_token(found[size - 1].item_id) if more else "",
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
        found = self._engine.collections.describe(header.collection) if header.collection else None
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
