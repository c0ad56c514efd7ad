"""A default search finds what was promised, with queries that training has not seen."""

import numpy as np
import pytest

from cipherlens.base import IndexChoice
from cipherlens.server.index import CosineIndex, HammingIndex, IvfSettings, SearchParameters
from cipherlens.server.index.calibration import (
    recall_by_nprobe,
    sample_of,
    smallest_nprobe,
    split,
    sure_recall,
)
from cipherlens.server.index.clustering import new_clustering
from cipherlens.server.index.flat import scan_cosine, scan_hamming
from cipherlens.server.index.rowlog import snapshot_of

EXACT = SearchParameters(exact=True)
SETTINGS = IvfSettings(minimum_rows=200, calibration_queries=200)


def as_good(found, truth):
    """Return the part of the hits that are as good as the last true one; ties are all good."""
    if truth.scores.dtype == np.int32:
        return np.mean(found.scores <= truth.scores[:, -1:])
    return np.mean(found.scores >= truth.scores[:, -1:] - 1e-6)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("choice", [IndexChoice.IVF, IndexChoice.HNSW])
@pytest.mark.parametrize("noise", [0.9, 2.0, 3.0, 1000.0])
@pytest.mark.parametrize("count", [2000, 10_000])
def test_vectors_of_any_structure_are_found(cpu, clustered, noise, count, choice):
    index = CosineIndex(128, cpu, choice=choice)
    index.append(clustered(count, 128, seed=1, noise=noise))
    queries = clustered(400, 128, seed=2, noise=noise)
    index.train(0)
    assert as_good(index.search(queries, 20), index.search(queries, 20, EXACT)) >= 0.99
    assert (index.describe().recall or 1) >= 0.99


def test_rows_without_structure_say_so_by_probing_nearly_all_lists(cpu, clustered):
    index = CosineIndex(128, cpu)
    index.append(clustered(2000, 128, seed=1, noise=1000.0))
    index.train(0)
    assert index.describe().nprobe > 0.9 * index.describe().nlist


def test_vectors_that_all_but_agree_are_told_apart(cpu):
    """Rows so near to each other that a byte a number cannot rank them."""
    rng = np.random.default_rng(1)
    rows = unit(np.ones(64) + 1e-4 * rng.standard_normal((3000, 64)))
    rows[:30] = unit(rng.standard_normal((30, 64)))  # these stretch what a byte has to span
    index = CosineIndex(64, cpu)
    index.append(rows)
    index.train(0)
    queries = unit(np.ones(64) + 1e-4 * rng.standard_normal((200, 64)))
    truth = rows.astype(np.float64) @ queries.T.astype(np.float64)
    kth = np.sort(truth, axis=0)[-20]
    found = index.search(queries, 20).positions
    good = np.take_along_axis(truth, found.T, axis=0) >= kth - 1e-7
    assert good.mean() >= 0.95


def drawn_codes(count, seed, flip):
    """Return 64-bit codes around 100 centres, each bit of which is flipped with a probability."""
    centres = np.random.default_rng(7).random((100, 64)) < 0.5
    rng = np.random.default_rng(seed)
    bits = centres[rng.integers(0, 100, count)] ^ (rng.random((count, 64)) < flip)
    return np.packbits(bits, axis=1)


@pytest.mark.parametrize("flip", [0.05, 0.15])
def test_codes_are_found_through_lists(cpu, flip):
    index = HammingIndex(64, IvfSettings(minimum_codes=2000))
    index.append(drawn_codes(20_000, 1, flip))
    queries = drawn_codes(400, 2, flip)
    truth = index.search(queries, 20)
    index.train(0)
    assert index.describe().kind == "hamming-ivf"
    assert as_good(index.search(queries, 20), truth) >= 0.99


def test_codes_without_structure_are_scanned(cpu):
    index = HammingIndex(64, IvfSettings(minimum_codes=2000))
    index.append(drawn_codes(5000, 1, 0.5))
    index.train(0)
    assert index.describe().kind == "hamming-flat"
    assert not index.wants_training
    queries = drawn_codes(50, 2, 0.5)
    np.testing.assert_array_equal(
        index.search(queries, 20).positions, index.search(queries, 20, EXACT).positions
    )


@pytest.fixture
def vectors(clustered):
    return snapshot_of(clustered(2000, 32, seed=1, noise=2.0), None)


def clustering_of(snapshot, nlist):
    rows = snapshot.rows
    return new_clustering(rows[:nlist].copy(), len(rows)).extended(rows)


def test_what_is_held_out_is_no_part_of_the_rest(vectors):
    held_out, others = split(vectors, SETTINGS, seed=1)
    assert len(held_out) == 200
    np.testing.assert_array_equal(np.sort(np.append(held_out, others)), np.arange(2000))
    again, _ = split(vectors, SETTINGS, seed=2)
    assert (held_out != again).any()


def test_masked_rows_are_neither_held_out_nor_neighbours(vectors):
    alive = np.arange(2000) % 3 > 0
    snapshot = snapshot_of(vectors.rows, alive)
    held_out, others = split(snapshot, SETTINGS, seed=1)
    assert alive[held_out].all()
    assert alive[others].all()
    sample = sample_of(snapshot, held_out, scan_cosine, SETTINGS)
    assert alive[sample.positions[sample.positions >= 0]].all()


def test_no_row_is_its_own_neighbour(vectors):
    held_out, _ = split(vectors, SETTINGS, seed=1)
    sample = sample_of(vectors, held_out, scan_cosine, SETTINGS)
    assert (sample.positions != held_out[:, None]).all()
    assert ((sample.positions >= 0).sum(axis=1) == 20).all()


@pytest.mark.parametrize("recall_at", [1, 3, 20])
def test_the_recall_at_each_nprobe_is_that_of_plain_searches(vectors, recall_at):
    settings = IvfSettings(minimum_rows=200, recall_at=recall_at)
    clustering = clustering_of(vectors, 40)
    held_out = np.arange(0, 2000, 20)
    sample = sample_of(vectors, held_out, scan_cosine, settings)
    recalls = recall_by_nprobe(sample, clustering)
    similarity = vectors.rows @ vectors.rows.T
    nearest = np.argsort(-(vectors.rows @ clustering.centroids.T), axis=1)
    for nprobe in (1, 5, 40):
        for own, measured in zip(held_out, recalls[:, nprobe - 1], strict=True):
            order = np.argsort(-similarity[own])
            true = [each for each in order if each != own][:recall_at]
            hits = np.isin(clustering.lists[true], nearest[own, :nprobe])
            assert measured == pytest.approx(hits.mean())
    assert (recalls[:, -1] == 1).all()


def test_ties_at_the_last_place_are_all_good():
    """Of four codes at one distance two are wanted: any two will do, from any list."""
    codes = np.array([[0], [1], [2], [4], [8], [255]], np.uint8)
    snapshot = snapshot_of(np.repeat(codes, 4, axis=1), None)
    clustering = new_clustering(snapshot.rows[[1, 4]], 6).extended(snapshot.rows)
    sample = sample_of(snapshot, np.array([0]), scan_hamming, IvfSettings(recall_at=2))
    assert sorted(sample.positions[sample.positions >= 0]) == [1, 2, 3, 4]
    assert recall_by_nprobe(sample, clustering)[0, 0] == 1


def test_a_bound_lies_below_the_mean_and_nears_it_with_more_queries():
    recalls = np.array([1.0, 0.9] * 50)
    assert sure_recall(recalls) == pytest.approx(0.95 - 2.33 * 0.05 / 10)
    assert sure_recall(np.tile(recalls, 100)) > sure_recall(recalls)


def test_the_nprobe_is_the_smallest_that_surely_reaches_the_target(vectors):
    clustering = clustering_of(vectors, 40)
    held_out, _ = split(vectors, SETTINGS, seed=1)
    sample = sample_of(vectors, held_out, scan_cosine, SETTINGS)
    recalls = recall_by_nprobe(sample, clustering)
    nprobe = smallest_nprobe(sample, clustering, 0.9)
    assert sure_recall(recalls[:, nprobe - 1]) >= 0.9 > sure_recall(recalls[:, nprobe - 2])
    assert smallest_nprobe(sample, clustering, 1.0) <= 40


def test_duplicates_of_a_query_do_not_stop_calibration(cpu):
    index = CosineIndex(8, cpu, SETTINGS)
    index.append(np.tile(np.eye(1, 8, dtype=np.float32), (300, 1)))
    index.train(1)
    assert (index.search(np.eye(1, 8, dtype=np.float32), 20).positions >= 0).all()
