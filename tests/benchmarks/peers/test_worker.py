"""The worker's questions and answers, before a store of a few lines."""

import io
import json
import time
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.peers.peer import VECTORS, K
from benchmarks.peers.worker import serve


class Store:
    """Exact search by NumPy over the first rows, as many as the knob says, or all."""

    INDEXES: ClassVar = {VECTORS: {"scan": (3, 0)}}

    def __init__(self):
        self.closed = 0
        self.knob = 0

    def setup(self, folder):
        return {"numpy": "2", "folder": str(folder)}

    def fill(self, kind, rows):
        self.rows = rows

    def build(self, kind, index):
        if index != "scan":
            raise KeyError(index)
        return "none"

    def tune(self, knob):
        self.knob = knob

    def search(self, query):
        rows = self.rows[: self.knob or None]
        return np.argsort(-(rows @ query))[:K].tolist()

    def batch(self, queries):
        time.sleep(0)
        return [self.search(each) for each in queries]

    def load(self, queries, clients, folder):
        return None

    def pids(self):
        return [1]

    def close(self):
        self.closed += 1


@pytest.fixture
def files(tmp_path, unit_rows):
    paths = {"rows": tmp_path / "rows.npy", "queries": tmp_path / "queries.npy"}
    np.save(paths["rows"], unit_rows)
    np.save(paths["queries"], unit_rows[:8])
    return {name: str(path) for name, path in paths.items()}


@pytest.fixture
def unit_rows():
    rows = np.random.default_rng(0).standard_normal((50, 4), np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def answers(store, *questions):
    lines = "".join(json.dumps(each) + "\n" for each in questions)
    told = io.StringIO()
    serve(store, io.StringIO(lines), told)
    return [json.loads(line) for line in told.getvalue().splitlines()]


def filled(files, *questions):
    return answers(Store(), {"ask": "fill", "kind": VECTORS, "rows": files["rows"]}, *questions)[1:]


def test_what_is_found_is_the_nearest(files):
    (found,) = filled(files, {"ask": "found", "queries": files["queries"]})
    assert [hits[0] for hits in found["value"]] == list(range(8))
    assert {len(hits) for hits in found["value"]} == {K}


def test_hits_that_are_missing_are_told_so(files):
    _, found = filled(
        files, {"ask": "tune", "knob": 3}, {"ask": "found", "queries": files["queries"]}
    )
    assert all(hits[3:] == [-1] * (K - 3) for hits in found["value"])


def test_rates_and_times_are_told(files):
    asked = {"queries": files["queries"], "seconds": 0.05}
    alone, together, batches = (
        each["value"]
        for each in filled(
            files,
            {"ask": "alone", **asked},
            {"ask": "together", "threads": 3, **asked},
            {"ask": "batches", "size": 4, **asked},
        )
    )
    assert 0 < alone["p50_us"] <= alone["p99_us"]
    assert alone["rate"] > 0
    assert together > 0
    assert batches > 0


def test_a_failure_is_an_answer_and_the_next_question_is_heard(files):
    failed, indexes = filled(
        files,
        {"ask": "build", "kind": VECTORS, "index": "tree"},
        {"ask": "indexes", "kind": VECTORS},
    )
    assert failed == {"error": "KeyError: 'tree'"}
    assert indexes == {"value": {"scan": [3, 0]}}


def test_a_kind_without_a_place_has_no_index():
    assert answers(Store(), {"ask": "indexes", "kind": "codes"}) == [{"value": {}}]


def test_only_what_was_set_up_is_closed(tmp_path):
    unused, used = Store(), Store()
    answers(unused, {"ask": "close"})
    answers(used, {"ask": "setup", "folder": str(tmp_path)})
    assert (unused.closed, used.closed) == (0, 1)
