"""The tables of the timing benchmarks, from times that no machine measured."""

import json

import pytest

from benchmarks.timing import feature_time, index_time, retrieval_time, trapdoor_time
from benchmarks.timing.growth import SIZES
from benchmarks.timing.local import BARE, OURS
from benchmarks.timing.served import SERVED

METHODS = ("48 bits", "32 bits", "24 bits", "12 bits", "cosine, IVF", "cosine, exact")


@pytest.fixture
def times():
    """Bare 1 us per 1,000 images, ours twice that, the server 100 us above it."""
    found = {(retrieval_time.FLOOR, SERVED, 0): 90.0}
    for method in METHODS:
        for size in SIZES:
            found[method, BARE, size] = size / 1000
            found[method, OURS, size] = 2 * size / 1000
            found[method, SERVED, size] = 100 + 2 * size / 1000
    return found


def test_retrieval_shows_growth_beside_the_papers(times):
    growth = retrieval_time.tables(times)["tables"]["Growth from 2,000 to 10,000 images"]
    assert growth["48 bits"] == {
        BARE: 5.0,
        OURS: 5.0,
        SERVED: 1.15,  # 120 / 104
        "above the canned answer": 2.14,  # 30 / 14
        "paper": 2.15,
    }
    assert growth["cosine, IVF"]["paper"] is None


def test_growth_of_nothing_is_left_empty(times):
    times[retrieval_time.FLOOR, SERVED, 0] = 104.0
    growth = retrieval_time.tables(times)["tables"]["Growth from 2,000 to 10,000 images"]
    assert growth["12 bits"]["above the canned answer"] is None


def test_retrieval_shows_ratios_beside_the_papers(times):
    ratios = retrieval_time.tables(times)["tables"]["Ratios at 10,000 images"]
    assert ratios["12 bits"] == {
        "in process / bare FAISS": 2.0,
        "through the server / canned answer": 1.33,
        "in process / 48 bits": 1.0,
        "through the server / 48 bits": 1.0,
        "paper / 48 bits": 0.629,
    }
    assert ratios["Qin"] == {"paper / 48 bits": 2.91}


def test_the_papers_table_3_is_quoted_whole(times):
    paper = retrieval_time.tables(times)["paper"]
    assert len(paper) == 7
    assert paper["24 bits"]["6,000"] == paper["12 bits"]["6,000"] == 0.637
    assert paper["Xia (CSD)"]["growth"] == 4.18


def test_features_are_scaled_with_the_loading_once():
    costs = {
        "net": {"load": 500.0, "prepare": 1.0, "encrypt": 0.5, "one by one": 8.5, "in batches": 1.5}
    }
    found = feature_time.tables(costs, {"net": [1.0, 2.0, 3.0, 4.0, 5.0]})
    assert found["results"]["net, one by one"]["2,000"] == 20.5
    assert found["results"]["net, in batches"]["10,000"] == 30.5
    assert found["results"]["net, measured in one pass"]["growth"] == 5.0


def test_a_start_is_told_above_the_empty_servers():
    times = {(index_time.START, size): 1000 + size / 10 for size in SIZES}
    found = index_time.tables({(index_time.EMPTY, 0): 900.0, **times})
    above = found["tables"]["Microseconds that a stored image adds to a start"]["start"]
    assert above["2,000"] == 150.0
    assert above["10,000"] == 110.0
    assert set(found["paper"]["DLHEIR"].values()) == {0}


def test_trapdoors_are_told_over_the_empty_call():
    times = {("code, in process", 0): 1000.0}
    for size in SIZES:
        times |= {("code", size): 500.0, (trapdoor_time.FLOOR, size): 250.0}
    found = trapdoor_time.tables(times)
    assert found["results"]["code"]["growth"] == 1.0
    assert "code, in process" not in found["results"]
    (typical,) = found["tables"].values()
    assert typical["code"] == {"microseconds": 500.0, "over the empty call": 2.0}
    assert typical["code, in process"]["over the empty call"] == 4.0


def test_all_of_it_is_json(times):
    assert json.loads(json.dumps(retrieval_time.tables(times), allow_nan=False))
