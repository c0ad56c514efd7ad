"""Searches that wait at the same time, answered by one look at the index."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cipherlens.base import Kind
from cipherlens.server.engine import Answer, CodeBatch, Engine, VectorBatch
from cipherlens.server.errors import ServerError
from cipherlens.server.index import SearchParameters
from cipherlens.server.retrieval.content import Rows
from cipherlens.server.retrieval.hits import EncodedResponse
from cipherlens.v1 import retrieval_service_pb2 as pb

# Bytes of an index that a request may read on the thread that all calls come in on: a millisecond
# or two.
_QUICK_BYTES = 4 * 2**20
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Question:
    """A search request apart from its queries, checked."""

    collection: str
    k: int
    parameters: SearchParameters
    model_digest: bytes


class SharedSearches:
    """Answers searches that ask the same of the same collection as if they were one request.

    What they have in common is all of the request but its queries. Whatever is not quick, or wrong,
    is left to `Search`, which tells each caller what is his.
    """

    def __init__(
        self,
        engine: Engine,
        question: Callable[[pb.SearchRequest], Question],
        queries: Callable[[Rows], VectorBatch | CodeBatch],
        responses: Callable[[Answer, Kind, int], list[EncodedResponse]],
    ) -> None:
        """Take how a request is checked, how only its queries are, and how answers are told."""
        self._engine = engine
        self._question = question
        self._queries = queries
        self._responses = responses
        # Services ask the same question again and again: it is checked once.
        self._checked: dict[tuple[bytes, int], Question | None] = {}

    def __call__(self, requests: Sequence[pb.SearchRequest]) -> list[EncodedResponse | None]:
        """Return a response for each, or None for one that needs a thread of its own.

        The requests lose their queries.
        """
        answers: list[EncodedResponse | None] = [None] * len(requests)
        groups: dict[tuple[bytes, int], list[tuple[int, bytes]]] = {}
        for position, request in enumerate(requests):
            if (rows := _rows(request)) is not None:
                data = rows.data
                rows.ClearField("data")
                kinship = request.SerializeToString(), len(data)
                groups.setdefault(kinship, []).append((position, data))
        for kinship, group in groups.items():
            request = requests[group[0][0]]
            try:
                found = self._found(kinship, request, [data for _, data in group])
            except ServerError:
                continue  # each of them is told so for himself
            for (position, _), answer in zip(group, found, strict=False):  # none if it takes long
                answers[position] = answer
        return answers

    def _found(
        self, kinship: tuple[bytes, int], request: pb.SearchRequest, data: Sequence[bytes]
    ) -> Sequence[EncodedResponse]:
        """Return a response for the queries of each, or none if they are not to be shared."""
        rows = _rows(request)
        assert rows is not None
        rows.data = data[0]
        if kinship not in self._checked:
            self._learn(kinship, request)
        question = self._checked.get(kinship)
        if question is None:
            return []
        if len(data) > 1:
            rows.data = b"".join(data)
        queries = self._queries(rows)
        answer = self._engine.search_quick(
            question.collection,
            queries,
            question.k,
            question.parameters,
            model_digest=question.model_digest,
            at_most_bytes=_QUICK_BYTES * len(data),
        )
        if answer is None:
            return []
        return self._responses(answer, queries.kind, len(queries) // len(data))

    def _learn(self, kinship: tuple[bytes, int], request: pb.SearchRequest) -> None:
        """Remember what a request asks, checked; None if a wait or stored items go with it.

        Raises InvalidField, and then nothing is remembered.
        """
        waits = request.min_sequence or request.item_budget_bytes
        question = None if waits else self._question(request)
        if len(self._checked) >= _REMEMBERED:
            self._checked.clear()
        self._checked[kinship] = question


def _rows(request: pb.SearchRequest) -> Rows | None:
    """Return the vectors or codes of a request, None if it has neither."""
    which = request.WhichOneof("queries")
    if which == "codes":
        return request.codes
    return request.vectors if which == "vectors" else None
