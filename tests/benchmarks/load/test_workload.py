"""Workloads: the same for the same seed, and judged by exact search."""

import numpy as np
import pytest

from benchmarks.load import workload
from benchmarks.load.workload import QUERIES, K

MAKERS = [workload.codes, workload.vectors]


@pytest.mark.parametrize("make", MAKERS)
def test_a_seed_makes_the_same_rows(make):
    assert np.array_equal(make(300).rows, make(300).rows)
    assert make(300).rows.shape[0] == 300
    assert len(make(300).queries) == QUERIES


@pytest.mark.parametrize("make", MAKERS)
def test_the_exact_hits_have_recall_1_and_others_less(make):
    asked = make(300)
    order = np.array([np.argsort(asked._distances(each), kind="stable") for each in asked.queries])
    assert asked.recall(order[:, :K]) == 1.0
    assert asked.recall(order[:, -K:]) < 0.2


def test_a_hit_that_is_told_twice_counts_once():
    asked = workload.vectors(300)
    best = np.array([[np.argmin(asked._distances(each))] * K for each in asked.queries])
    assert asked.recall(best) == pytest.approx(1 / K)


def test_a_tie_with_the_last_exact_hit_counts():
    rows = np.zeros((50, 6), np.uint8)
    asked = workload.Workload(kind=workload.CODES, rows=rows, queries=rows[:1])
    assert asked.recall(np.arange(30, 50)[None]) == 1.0


def test_a_request_carries_its_queries():
    asked = workload.codes(300)
    request = asked.requests(3)[0]
    assert request.codes.data == asked.queries[:3].tobytes()
    assert request.k == K
