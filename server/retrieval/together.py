"""Searches that wait at the same time, answered by one look at the index."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cipherlens.server.call import Call
from cipherlens.server.engine import Answer, Batch, Engine
from cipherlens.server.index import SearchParameters
from cipherlens.v1 import retrieval_service_pb2 as pb

# Bytes that a search may read of an index and still count as quick: about a millisecond.
_QUICK_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Query:
    """A search request, checked."""

    collection: str
    queries: Batch
    k: int
    parameters: SearchParameters
    model_digest: bytes

    @property
    def kinship(self) -> tuple[object, ...]:
        """What searches must have in common to be answered as one."""
        rows = self.queries.rows
        width = rows.shape[1] if rows is not None else 0
        return (
            self.collection,
            self.queries.kind,
            width,
            self.k,
            self.parameters,
            self.model_digest,
        )


class SharedSearches:
    """Answers searches in groups of one kinship."""

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

    def __call__(
        self, requests: Sequence[pb.SearchRequest], calls: Sequence[Call]
    ) -> list[pb.SearchResponse | Exception | None]:
        """Return a response, what is wrong, or None for a search that is not quick, for each."""
        answers: list[pb.SearchResponse | Exception | None] = [None] * len(requests)
        groups: dict[tuple[object, ...], list[tuple[int, Query]]] = {}
        for position, request in enumerate(requests):
            if not _may_be_quick(request):
                continue
            try:
                query = self._query(request)
                if (
                    self._engine.reads_bytes(query.collection, query.parameters)
                    * len(query.queries)
                    <= _QUICK_BYTES
                ):
                    groups.setdefault(query.kinship, []).append((position, query))
            except Exception as error:  # noqa: BLE001 - it belongs to this request alone
                answers[position] = error
        for group in groups.values():
            self._answer(group, calls, answers)
        return answers

    def _answer(
        self,
        group: Sequence[tuple[int, Query]],
        calls: Sequence[Call],
        answers: list[pb.SearchResponse | Exception | None],
    ) -> None:
        first = group[0][1]
        try:
            found = self._engine.search_together(
                first.collection,
                [query.queries for _, query in group],
                first.k,
                first.parameters,
                model_digest=first.model_digest,
                call=calls[group[0][0]],
            )
            for (position, query), answer in zip(group, found, strict=True):
                answers[position] = self._response(answer, query.queries)
        except Exception as error:  # noqa: BLE001 - it belongs to all of this kinship
            for position, _ in group:
                answers[position] = error


def _may_be_quick(request: pb.SearchRequest) -> bool:
    """Return whether neither a network nor a wait nor stored items stand in the way."""
    return not (
        request.min_sequence
        or request.item_budget_bytes
        or request.WhichOneof("queries") == "cipher_images"
    )
