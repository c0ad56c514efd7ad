"""A graph finds what it is promised to, takes new rows in, and never shows what is masked."""

import numpy as np
import pytest

from cipherlens.base import IndexChoice
from cipherlens.server.index import CosineIndex, IvfSettings, SearchParameters
from tests.server.oracle import exact_cosine

EXACT = SearchParameters(exact=True)


@pytest.fixture
def index(cpu, clustered):
    index = CosineIndex(
        32, cpu, IvfSettings(minimum_rows=200, calibration_queries=64), IndexChoice.HNSW
    )
    index.append(clustered(1150, 32, seed=1)[:600])
    index.train(1)
    return index


def test_it_says_what_it_is(index):
    described = index.describe()
    assert (described.kind, described.covered, described.nlist) == ("cosine-hnsw", 600, 0)
    assert described.recall >= 0.99
    assert index.reads_bytes() < index.reads_bytes(EXACT)


def test_its_nodes_are_all_live_rows_once(cpu, clustered):
    index = CosineIndex(32, cpu, IvfSettings(minimum_rows=200), IndexChoice.HNSW)
    index.append(clustered(600, 32, seed=1))
    index.mask(np.arange(0, 600, 3))
    index.train(1)
    nodes = index.state().arrays["nodes"]
    np.testing.assert_array_equal(np.sort(nodes), [n for n in range(600) if n % 3])


def test_rows_behind_it_are_found_before_and_after_they_join(index, clustered):
    rows = clustered(1150, 32, seed=1)
    for end in (601, 856, 857, 1150):
        index.append(rows[len(index) : end])
        found = index.search(rows[:end], 1).positions[:, 0]
        np.testing.assert_array_equal(found, np.arange(end))
        if index.wants_training:
            index.train(1)
    assert index.describe().covered == 1150
    found = index.search(rows, 1).positions[:, 0]
    np.testing.assert_array_equal(found, np.arange(1150))


def test_rows_join_only_when_there_are_many(index, clustered):
    index.append(clustered(256, 32, seed=2))
    assert not index.wants_training
    index.append(clustered(1, 32, seed=3))
    assert index.wants_training
    index.train(1)
    assert (index.wants_training, index.describe().covered) == (False, 857)


@pytest.mark.parametrize("behind", [0, 100, 400])
def test_masked_rows_are_never_returned(index, clustered, behind):
    index.append(clustered(behind, 32, seed=3))
    rows = np.concatenate([clustered(1150, 32, seed=1)[:600], clustered(behind, 32, seed=3)])
    alive = np.random.default_rng(1).random(len(rows)) > 0.1
    index.mask(np.flatnonzero(~alive))
    found = index.search(rows, 5)
    truth = exact_cosine(rows, rows, 5, alive)
    assert alive[found.positions].all()
    assert np.mean(found.scores >= truth.scores[:, -1:] - 1e-6) >= 0.99


def test_more_hits_than_are_live_end_with_none(index):
    index.mask(np.arange(590))
    found = index.search(np.eye(2, 32, dtype=np.float32), 20)
    assert (found.positions[:, :10] >= 590).all()
    assert (found.positions[:, 10:] == -1).all()


def test_the_same_rows_and_seed_give_the_same_graph(index, cpu, clustered):
    again = CosineIndex(
        32, cpu, IvfSettings(minimum_rows=200, calibration_queries=64), IndexChoice.HNSW
    )
    again.append(clustered(1150, 32, seed=1)[:600])
    again.train(1)
    for name, array in index.state().arrays.items():
        np.testing.assert_array_equal(again.state().arrays[name], array)
