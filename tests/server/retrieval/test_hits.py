"""Responses made of pieces are what protobuf itself makes of the same hits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.base import IndexChoice, Kind
from cipherlens.server.config import IvfSettings
from cipherlens.server.engine import Answer, ItemIndex
from cipherlens.server.index import SearchParameters, resolve_device
from cipherlens.server.index.factory import new_index
from cipherlens.server.retrieval.hits import EncodedResponse, encoded_responses
from cipherlens.server.storage.records import Change, Generation
from cipherlens.v1 import item_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

IDS = ["a", "", "ä" * 100, "x" * 127, "y" * 128, "z"]  # at the lengths that take another byte
REVISIONS = [1, 127, 128, 2**32, 2**63 - 1, 0]
BITS = (48, 64, 128, 256)  # the first two have distances of one byte, the others up to two


def rows_of(kind: Kind, length: int) -> np.ndarray[Any, Any]:
    """Return a row for each item: unit vectors, (items, length), or codes."""
    if kind is Kind.VECTOR:
        return np.eye(len(IDS), length, dtype=np.float32)
    return np.random.default_rng(length).integers(0, 256, (len(IDS), length // 8), dtype=np.uint8)


def index_of(kind: Kind, length: int) -> ItemIndex:
    """Return an index of the items above."""
    generation = Generation(
        id=300, model_digest=b"", numeric_mode="", key_fingerprint=b"", mask_id="", length=length
    )
    device = resolve_device("cpu")
    index = ItemIndex(generation, new_index(kind, length, device, IvfSettings(), IndexChoice.AUTO))
    items = zip(IDS, REVISIONS, rows_of(kind, length), strict=True)
    index.follow(
        [
            Change(number, item_id, revision, row.tobytes())
            for number, (item_id, revision, row) in enumerate(items, 1)
        ]
    )
    return index


INDEXES = {(Kind.CODE, bits): index_of(Kind.CODE, bits) for bits in BITS} | {
    (Kind.VECTOR, 8): index_of(Kind.VECTOR, 8)
}


def built(answer: Answer, kind: Kind) -> list[pb.Hits]:
    """Return the hits of each query as protobuf makes them, field by field."""
    made = []
    for row, positions in enumerate(answer.positions):
        scores = answer.scores[row, : len(positions)].tolist()
        made.append(
            pb.Hits(
                item_ids=[IDS[each] for each in positions],
                revisions=[REVISIONS[each] for each in positions],
                **{"distances" if kind is Kind.CODE else "similarities": scores},
            )
        )
    return made


def responses(answer: Answer, kind: Kind, count: int) -> list[pb.SearchResponse]:
    return [pb.SearchResponse.FromString(each) for each in encoded_responses(answer, kind, count)]


@st.composite
def answers(draw: Any) -> tuple[Answer, Kind, int]:
    """Return an answer to some queries, and how many of them a caller asked each."""
    kind, length = draw(st.sampled_from(sorted(INDEXES)))
    callers, count, k = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    some = st.lists(st.integers(0, len(IDS) - 1), max_size=k, unique=True)
    positions = draw(st.lists(some, min_size=callers * count, max_size=callers * count))
    numbers = np.random.default_rng(draw(st.integers(0, 99)))
    if kind is Kind.CODE:
        scores = numbers.integers(0, length + 1, (len(positions), k), dtype=np.int32)
    else:
        scores = numbers.uniform(-1, 1, (len(positions), k)).astype(np.float32)
    sequence = draw(st.integers(0, 2**63 - 1))
    return Answer(INDEXES[kind, length], positions, scores, sequence), kind, count


@given(answers())
def test_each_caller_gets_what_protobuf_would_make(given_: tuple[Answer, Kind, int]) -> None:
    answer, kind, count = given_
    hits = built(answer, kind)
    assert responses(answer, kind, count) == [
        pb.SearchResponse(
            results=hits[start : start + count], sequence=answer.sequence, generation=300
        )
        for start in range(0, len(hits), count)
    ]


@pytest.mark.parametrize("bits", BITS)
def test_distances_up_to_the_largest(bits: int) -> None:
    """A distance above 127 takes two bytes."""
    scores = np.array([[0, 1, min(127, bits), bits // 2 + 1, bits - 1, bits]], np.int32)
    answer = Answer(INDEXES[Kind.CODE, bits], [list(range(6))], scores, 1)
    (response,) = responses(answer, Kind.CODE, 1)
    assert list(response.results[0].distances) == scores[0].tolist()


@pytest.mark.parametrize(("kind", "length"), sorted(INDEXES))
def test_a_real_ranking_of_fewer_than_k(kind: Kind, length: int) -> None:
    index = INDEXES[kind, length]
    answer, _ = index.search(rows_of(kind, length)[:2], 20, SearchParameters())
    (response,) = responses(answer, kind, 2)
    assert response.sequence == len(IDS)
    for hits, expected in zip(response.results, built(answer, kind), strict=True):
        assert len(hits.item_ids) == len(IDS)
        assert hits == expected


@pytest.mark.parametrize(("kind", "length"), sorted(INDEXES))
def test_nothing_found(kind: Kind, length: int) -> None:
    dtype = np.int32 if kind is Kind.CODE else np.float32
    answer = Answer(INDEXES[kind, length], [[], []], np.zeros((2, 5), dtype), 7)
    (response,) = responses(answer, kind, 2)
    assert response == pb.SearchResponse(results=[pb.Hits(), pb.Hits()], sequence=7, generation=300)


def test_stored_items_stand_beside_the_hits() -> None:
    items = [item_pb2.StoredItem(item_id=each, revision=3, sealed_original=b"s") for each in "ab"]
    scores = np.array([[0.5, 0.25]], np.float32)
    answer = Answer(INDEXES[Kind.VECTOR, 8], [[0, 5]], scores, 7)
    (encoded,) = encoded_responses(answer, Kind.VECTOR, 1)
    response = EncodedResponse(encoded).with_items(items)
    assert pb.SearchResponse.FromString(response.SerializeToString()) == pb.SearchResponse(
        results=built(answer, Kind.VECTOR), sequence=7, generation=300, items=items
    )
