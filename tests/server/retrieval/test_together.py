"""Searches answered together say what each of them is told alone."""

import numpy as np
import pytest

from cipherlens.server.call import Call
from cipherlens.server.retrieval.service import RetrievalService
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.server.memory_transport import MemoryTransport


@pytest.fixture(scope="module")
def transport():
    return MemoryTransport


@pytest.fixture
def service(cloud):
    """A service over the server's engine, asked without a transport between."""
    return RetrievalService(cloud.engine, cloud.config)


@pytest.fixture
def filled(cloud, gaussian, vectors, codes):
    cloud.create()
    cloud.create_codes(bits=12)
    cloud.index([f"v{n}" for n in range(60)], vectors=vectors(gaussian(60)))
    rows = np.random.default_rng(1).integers(0, 256, (60, 2), np.uint8)
    rows[:, 1] &= 15
    cloud.index([f"c{n}" for n in range(60)], "c", codes=codes(rows, 12))
    return cloud


def alone(service, request):
    answer = service.Search(pb.SearchRequest.FromString(request), Call())
    return pb.SearchResponse.FromString(answer.SerializeToString())


def together(service, requests, may=None):
    answers = service.together["Search"](requests, may)
    return [each if each is None else pb.SearchResponse.FromString(each) for each in answers]


def test_each_gets_the_answer_to_his_own_request(filled, service, gaussian, vectors, codes):
    queries = gaussian(6, seed=5)
    requests = [
        *(
            pb.SearchRequest(collection="v", k=7, vectors=vectors(queries[n : n + 1]))
            for n in (0, 1)
        ),
        pb.SearchRequest(collection="c", k=7, codes=codes(np.uint8([[1, 2]]), 12)),
        pb.SearchRequest(collection="v", k=7, vectors=vectors(queries[2:4])),
        pb.SearchRequest(collection="v", k=6, vectors=vectors(queries[4:5])),
        pb.SearchRequest(collection="c", k=70, codes=codes(np.uint8([[3, 4]]), 12)),
        pb.SearchRequest(collection="v", k=7, vectors=vectors(queries[5:6])),
    ]
    encoded = [each.SerializeToString() for each in requests]
    for _ in range(2):  # learned, then known
        assert together(service, encoded) == [alone(service, each) for each in encoded]
        for each in encoded:
            assert together(service, [each]) == [alone(service, each)]


@pytest.mark.parametrize(
    "fields",
    [
        {"collection": "nobody"},
        {"collection": "v", "k": 1_000_000},
        {"collection": "v", "min_sequence": 3},
        {"collection": "v", "item_budget_bytes": 10},
        {"collection": "v", "model_digest": b"short"},
        {"collection": "c"},
    ],
    ids=lambda fields: next(reversed(fields)),
)
def test_what_is_wrong_or_waits_is_left_to_a_thread(filled, service, gaussian, vectors, fields):
    sound = pb.SearchRequest(collection="v", k=3, vectors=vectors(gaussian(1)))
    other = pb.SearchRequest(**{"k": 3, **fields}, vectors=vectors(gaussian(1)))
    encoded = [sound.SerializeToString(), other.SerializeToString(), b"\xff", b""]
    found = together(service, encoded)
    assert found == [alone(service, encoded[0]), None, None, None]


def test_a_wrong_row_among_known_requests_is_found(filled, service, gaussian, vectors, codes):
    def vector(rows):
        return pb.SearchRequest(collection="v", k=3, vectors=vectors(rows)).SerializeToString()

    def code(last):
        rows = np.uint8([[1, last]])
        return pb.SearchRequest(collection="c", k=3, codes=codes(rows, 12)).SerializeToString()

    sound, spoiled = vector(gaussian(1)), vector(np.full((1, 16), np.nan))
    assert together(service, [sound]) == [alone(service, sound)]
    assert together(service, [spoiled]) == [None]
    assert together(service, [vector(np.zeros((1, 16)))]) == [None]
    assert together(service, [code(15)]) == [alone(service, code(15))]
    assert together(service, [code(16)]) == [None]


def test_a_collection_that_is_gone_and_made_anew_is_asked_anew(filled, service, codes):
    request = pb.SearchRequest(collection="c", k=3, codes=codes(np.uint8([[1, 2]]), 12))
    encoded = request.SerializeToString()
    assert len(together(service, [encoded])[0].results[0].item_ids) == 3
    filled.stub.DeleteCollection(pb.DeleteCollectionRequest(name="c"))
    assert together(service, [encoded]) == [None]
    filled.create_codes(bits=24)
    assert together(service, [encoded]) == [None]
    filled.stub.DeleteCollection(pb.DeleteCollectionRequest(name="c"))
    filled.create_codes(bits=12)
    filled.index(["new"], "c", codes=codes(np.uint8([[0, 0]]), 12))
    assert list(together(service, [encoded])[0].results[0].item_ids) == ["new"]


def test_more_questions_than_are_remembered_are_answered(filled, service, codes, monkeypatch):
    monkeypatch.setattr("cipherlens.server.retrieval.together._REMEMBERED", 3)
    for k in [1, 2, 3, 4, 5, 1, 2]:
        request = pb.SearchRequest(collection="c", k=k, codes=codes(np.uint8([[1, 2]]), 12))
        encoded = request.SerializeToString()
        assert together(service, [encoded]) == [alone(service, encoded)]


def test_who_may_not_ask_of_a_collection_is_left_out_of_the_company(
    filled, service, gaussian, vectors
):
    queries = gaussian(3, seed=8)
    encoded = [
        pb.SearchRequest(
            collection="v", k=7, vectors=vectors(queries[number : number + 1])
        ).SerializeToString()
        for number in range(3)
    ]
    asked = []

    def may(position, collection):
        asked.append((position, collection))
        return position != 1

    answers = together(service, encoded, may)
    assert answers == [alone(service, encoded[0]), None, alone(service, encoded[2])]
    assert asked == [(0, "v"), (1, "v"), (2, "v")]
