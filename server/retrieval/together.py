"""Searches that wait at the same time, answered by one look at the index."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from cipherlens.base import code_size_bytes
from cipherlens.server.engine import Answer, Batch, Engine
from cipherlens.server.errors import ServerError
from cipherlens.server.index import SearchParameters
from cipherlens.v1 import retrieval_service_pb2 as pb

# Bytes of an index that searches may read on the thread that all calls come in on: some
# milliseconds.
_QUICK_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Query:
    """A search request, checked."""

    collection: str
    queries: Batch
    k: int
    parameters: SearchParameters
    model_digest: bytes


class SharedSearches:
    """Answers searches that ask the same of the same collection as if they were one request.

    Whatever is not quick, or wrong, is left to `Search`, which tells each caller what is his.
    """

    def __init__(
        self,
        engine: Engine,
        query: Callable[[pb.SearchRequest], Query],
        response: Callable[[Answer, Batch], pb.SearchResponse],
    ) -> None:
        """Take how a request is checked and how an answer is told."""
        self._engine = engine
        self._query = query
        self._response = response

    def __call__(self, requests: Sequence[pb.SearchRequest]) -> list[pb.SearchResponse | None]:
        """Return a response for each, or None for one that needs a thread of its own."""
        answers: list[pb.SearchResponse | None] = [None] * len(requests)
        groups: dict[Hashable, list[int]] = {}
        for position, request in enumerate(requests):
            if (kinship := _kinship(request)) is not None:
                groups.setdefault(kinship, []).append(position)
        for positions in groups.values():
            found = self._found([requests[each] for each in positions])
            for position, answer in zip(positions, found, strict=True):
                answers[position] = answer
        return answers

    def _found(self, group: Sequence[pb.SearchRequest]) -> Sequence[pb.SearchResponse | None]:
        """Return the responses of requests of one kinship, or as many None."""
        counts = [_row_count(each) for each in group]
        try:
            query = self._query(group[0] if len(group) == 1 else _joined(group))
            if not all(counts) or self._cost(query) > _QUICK_BYTES:
                return [None] * len(group)
            answer = self._engine.search(
                query.collection,
                query.queries,
                query.k,
                query.parameters,
                min_sequence=0,
                model_digest=query.model_digest,
            )
            if len(group) == 1:
                return [self._response(answer, query.queries)]
            return [self._response(part, query.queries) for part in _parted(answer, counts)]
        except ServerError:
            return [None] * len(group)

    def _cost(self, query: Query) -> int:
        one = self._engine.reads_bytes(query.collection, query.parameters)
        return one * len(query.queries)


def _kinship(request: pb.SearchRequest) -> Hashable | None:
    """Return what a search must have in common with others to be answered with them.

    None where a network, a wait or stored items stand between it and a quick answer.
    """
    which = request.WhichOneof("queries")
    if which == "codes":
        length = request.codes.bits
    elif which == "vectors":
        length = request.vectors.dimension
    else:
        return None
    if request.min_sequence or request.item_budget_bytes:
        return None
    parameters = b""
    if request.HasField("parameters"):
        parameters = request.parameters.SerializeToString()
    return (request.collection, which, length, request.k, parameters, request.model_digest)


def _row_count(request: pb.SearchRequest) -> int:
    """Return how many queries a request of vectors or codes holds; 0 if they are no whole rows."""
    if request.WhichOneof("queries") == "codes":
        data, size = request.codes.data, code_size_bytes(request.codes.bits)
    else:
        data, size = request.vectors.data, 4 * request.vectors.dimension
    return len(data) // size if size and not len(data) % size else 0


def _joined(group: Sequence[pb.SearchRequest]) -> pb.SearchRequest:
    """Return one request with the queries of all."""
    joined = pb.SearchRequest()
    joined.CopyFrom(group[0])
    if joined.WhichOneof("queries") == "codes":
        joined.codes.data = b"".join([each.codes.data for each in group])
    else:
        joined.vectors.data = b"".join([each.vectors.data for each in group])
    return joined


def _parted(answer: Answer, counts: Sequence[int]) -> list[Answer]:
    """Return the answer in parts of so many rankings."""
    parts, start = [], 0
    for count in counts:
        rankings = answer.rankings[start : start + count]
        parts.append(Answer(rankings, answer.sequence, answer.generation))
        start += count
    return parts
