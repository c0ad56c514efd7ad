"""Searches among the rows that a filter keeps: as many as wanted if there are, and the best."""

import numpy as np
import pytest

from cipherlens.base import IndexChoice
from cipherlens.server.index import CosineIndex, HammingIndex, IvfSettings, SearchParameters
from tests.server.index.conftest import CPU, clustered
from tests.server.oracle import exact_cosine, exact_hamming

EXACT = SearchParameters(exact=True)
ROWS, BITS, DIMENSION = 6000, 64, 32
SHARES = [0.9, 0.5, 0.1, 0.01, 0.0]
SETTINGS = IvfSettings(minimum_rows=200, minimum_codes=200, calibration_queries=256)


class Kept:
    """A filter that keeps given rows, and counts how often it is asked which."""

    def __init__(self, kept):
        self.kept, self.asked = kept, 0

    def mask(self, count):
        self.asked += 1
        return self.kept[:count].copy()

    def most(self, count):
        return int(self.kept[:count].sum())


def codes_of(rows):
    """Return codes that lie as near to each other as vectors do: the signs of their numbers."""
    wide = np.random.default_rng(3).standard_normal((rows.shape[1], BITS))
    return np.packbits(rows @ wide > 0, axis=1, bitorder="little")


def case_of(kind, choice):
    """Return an empty index, rows, queries, and what ranks exactly."""
    rows, queries = clustered(ROWS, DIMENSION, seed=1), clustered(64, DIMENSION, seed=2)
    if kind == "codes":
        index = HammingIndex(BITS, SETTINGS, choice)
        return index, codes_of(rows), codes_of(queries), exact_hamming
    return CosineIndex(DIMENSION, CPU, SETTINGS, choice), rows, queries, exact_cosine


@pytest.fixture(
    scope="module",
    params=[
        ("vectors", IndexChoice.FLAT),
        ("vectors", IndexChoice.IVF),
        ("vectors", IndexChoice.HNSW),
        ("codes", IndexChoice.FLAT),
        ("codes", IndexChoice.IVF),
    ],
    ids="-".join,
)
def case(request):
    """The same, filled and trained if it can be."""
    index, *rest = case_of(*request.param)
    index.append(rest[0])
    index.train(1)
    return index, *rest


def kept_of(share, seed=5):
    return np.random.default_rng(seed).random(ROWS) < share


def as_good(found, truth, rows):
    """Return the share of hits that are no worse than the worst true one of their query."""
    scores = truth.scores[:, -1:]
    is_good = found.scores <= scores if rows.dtype == np.uint8 else found.scores >= scores - 1e-6
    return is_good.mean()


@pytest.mark.parametrize("share", SHARES)
def test_k_come_back_if_k_are_kept_and_none_that_is_not(case, share):
    index, rows, queries, oracle = case
    kept = kept_of(share)
    truth = oracle(rows, queries, 20, kept)
    found = index.search(queries, 20, rows=Kept(kept))
    np.testing.assert_array_equal(found.positions < 0, truth.positions < 0)
    there = found.positions[found.positions >= 0]
    assert kept[there].all()
    assert all(len(set(row)) == 20 for row in found.positions if row[-1] >= 0)
    if there.size:
        assert as_good(found, truth, rows) >= 0.97
    exact = index.search(queries, 20, EXACT, Kept(kept))
    np.testing.assert_array_equal(exact.positions < 0, truth.positions < 0)
    valid = truth.positions >= 0
    np.testing.assert_allclose(exact.scores[valid], truth.scores[valid], atol=2e-6)


def test_what_is_kept_where_lists_and_graph_do_not_look_is_found_all_the_same(case):
    index, rows, queries, oracle = case
    farthest = np.zeros(ROWS, bool)
    farthest[oracle(rows, queries[:1], ROWS).positions[0, -3000:]] = True
    found = index.search(queries[:1], 20, rows=Kept(farthest))
    assert farthest[found.positions].all()


@pytest.mark.parametrize("kind", ["vectors", "codes"])
def test_masked_rows_and_those_behind_the_lists_are_seen_to(kind):
    index, rows, queries, oracle = case_of(kind, IndexChoice.IVF)
    index.append(rows[:5000])
    index.train(1)
    index.append(rows[5000:])
    dead = np.arange(0, ROWS, 7)
    index.mask(dead)
    kept = kept_of(0.4)
    found = index.search(queries, 10, rows=Kept(kept))
    alive = kept.copy()
    alive[dead] = False
    assert alive[found.positions].all()
    assert as_good(found, oracle(rows, queries, 10, alive), rows) >= 0.97
    assert index.count(Kept(kept)) == alive.sum()


def test_hamming_ties_are_in_the_order_of_positions():
    index = HammingIndex(12)
    rows = np.repeat(np.array([[1, 0], [3, 0]], np.uint8), 50, axis=0)
    index.append(rows)
    kept = np.arange(100) % 3 == 0
    query = np.array([[1, 0]], np.uint8)
    found = index.search(query, 40, rows=Kept(kept))
    truth = exact_hamming(rows, query, 40, kept)
    np.testing.assert_array_equal(found.positions, truth.positions)


def test_what_a_filter_keeps_is_remembered_until_rows_come_or_go():
    index = CosineIndex(DIMENSION, CPU)
    rows = clustered(300, DIMENSION, seed=1)
    index.append(rows[:200])
    kept = Kept(np.arange(300) % 2 == 0)
    for _ in range(3):
        index.search(rows[:1], 5, rows=kept)
    assert (kept.asked, index.count(kept)) == (1, 100)
    index.append(rows[200:])
    assert (index.count(kept), kept.asked) == (150, 2)
    index.mask(np.array([0, 1]))
    assert (index.count(kept), kept.asked) == (149, 3)


def test_what_a_search_reads_is_told_before_it_is_known_what_is_kept():
    index = CosineIndex(DIMENSION, CPU, SETTINGS)
    index.append(clustered(ROWS, DIMENSION, seed=1))
    few, none = Kept(kept_of(0.01)), Kept(np.zeros(ROWS, bool))
    row_bytes = 4 * DIMENSION
    assert index.reads_bytes(rows=few) == ROWS + few.most(ROWS) * row_bytes
    assert index.reads_bytes(rows=none) == ROWS
    index.train(1)
    half = Kept(kept_of(0.5))
    assert ROWS < index.reads_bytes(rows=half) < ROWS + half.most(ROWS) * row_bytes
    assert few.asked == half.asked == 0
