"""Searches that wait at the same time, answered by one look at the index."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from cipherlens.base import Kind
from cipherlens.server.engine import Answer, CodeBatch, Engine, Question, VectorBatch
from cipherlens.server.errors import ServerError
from cipherlens.server.retrieval.kin import queries_span
from cipherlens.v1 import retrieval_service_pb2 as pb

# Bytes of an index that a request may read on the thread that all calls come in on: a millisecond
# or two.
_QUICK_BYTES = 4 * 2**20
# Hits that a request may find there: one or two as well.
_QUICK_HITS = 4096
_REMEMBERED = 1024
_ROWS = ("vectors", "codes")

Queries = VectorBatch | CodeBatch


@dataclass(frozen=True, slots=True, eq=False)
class _Kin:
    """Requests of one length that differ in their queries alone.

    head, tail: what stands before and behind the queries.
    question: what they all ask.
    queries: checks bytes in their place, those of several requests as well.
    """

    head: bytes
    tail: bytes
    question: Question
    queries: Callable[[bytes], Queries]


class SharedSearches:
    """Answers searches that ask the same of the same collection as if they were one request.

    Whatever is not quick, or wrong, is left to `Search`, which tells each caller what is his.
    """

    def __init__(
        self,
        engine: Engine,
        check: Callable[[pb.SearchRequest], tuple[Question, Callable[[bytes], Queries]]],
        responses: Callable[[Answer, Kind, int], list[bytes]],
    ) -> None:
        """Take how a request is checked, for itself and for others like it, and is answered."""
        self._engine = engine
        self._check = check
        self._responses = responses
        # Services ask the same question again and again: it is checked once. By length.
        self._known: dict[int, list[_Kin]] = {}
        self._known_count = 0

    def __call__(
        self, requests: Sequence[bytes], may: Callable[[int, str], bool] | None
    ) -> list[bytes | None]:
        """Return a response for each, or None for one that needs a thread of its own.

        Requests and responses are encoded messages. `may` says whether the request at a position
        may be asked of a collection; None where all may.
        """
        answers: list[bytes | None] = [None] * len(requests)
        groups: dict[_Kin, list[int]] = {}
        for position, request in enumerate(requests):
            kin = self._kin_of(request)
            if kin is not None and (may is None or may(position, kin.question.collection)):
                groups.setdefault(kin, []).append(position)
        for kin, positions in groups.items():
            try:
                found = self._found(kin, [requests[each] for each in positions])
            except ServerError:
                continue  # each of them is told so for himself
            for position, answer in zip(positions, found, strict=False):  # none if it takes long
                answers[position] = answer
        return answers

    def _kin_of(self, request: bytes) -> _Kin | None:
        for kin in self._known.get(len(request), ()):
            if request.startswith(kin.head) and request.endswith(kin.tail):
                return kin
        return self._learned(request)

    def _found(self, kin: _Kin, requests: Sequence[bytes]) -> Sequence[bytes]:
        """Return a response for each, or none if they are not quick."""
        start, stop = len(kin.head), len(requests[0]) - len(kin.tail)
        queries = kin.queries(b"".join([each[start:stop] for each in requests]))
        question = kin.question
        count = len(queries) // len(requests)
        if count * question.k > _QUICK_HITS:
            return ()
        answer = self._engine.searches.search_quick(
            question, queries, at_most_bytes=_QUICK_BYTES * len(requests)
        )
        if answer is None:
            return ()
        return self._responses(answer, queries.kind, count)

    def _learned(self, request: bytes) -> _Kin | None:
        """Remember what a request asks; None if it is wrong, or more goes with it than rows."""
        try:
            message = pb.SearchRequest.FromString(request)
            span = queries_span(request) if message.WhichOneof("queries") in _ROWS else None
            if span is None or message.min_sequence or message.item_budget_bytes:
                return None
            question, queries = self._check(message)
        except (DecodeError, ServerError):
            return None
        start, stop = span
        kin = _Kin(request[:start], request[stop:], question, queries)
        if self._known_count >= _REMEMBERED:
            self._known, self._known_count = {}, 0
        self._known.setdefault(len(request), []).append(kin)
        self._known_count += 1
        return kin
