import numpy as np
import pytest

from cipherlens.server.index import CosineIndex, SearchParameters, VectorIndex, vector_training
from tests.server.oracle import exact_cosine

EXACT = SearchParameters(exact=True)


def assert_same(found, truth):
    """Compare rankings whose scores differ by rounding only, so near-equal rows may swap."""
    np.testing.assert_array_equal(found.positions < 0, truth.positions < 0)
    valid = truth.positions >= 0
    np.testing.assert_allclose(found.scores[valid], truth.scores[valid], atol=2e-6)
    for a, b in zip(found.positions, truth.positions, strict=True):
        assert len(set(a) ^ set(b)) <= 2


def test_default_search_finds_99_percent_at_10000_rows_of_768(cpu, clustered, recall):
    index = CosineIndex(768, cpu)
    index.append(clustered(10_000, 768, seed=1))
    queries = clustered(400, 768, seed=2)
    truth = index.search(queries, 20)
    assert_same(truth, exact_cosine(clustered(10_000, 768, seed=1), queries, 20))
    index.train(1)
    assert index.describe().nprobe < index.describe().nlist / 4
    assert recall(index.search(queries, 20), truth) >= 0.99


@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_default_recall_holds_for_tight_and_for_loose_clusters(cpu, clustered, recall, noise):
    index = CosineIndex(64, cpu)
    index.append(clustered(6000, 64, seed=1, noise=noise))
    queries = clustered(400, 64, seed=2, noise=noise)
    index.train(1)
    assert recall(index.search(queries, 20), index.search(queries, 20, EXACT)) >= 0.99


def test_search_is_exact_before_training_and_on_demand(small_index, clustered):
    rows, queries = clustered(900, 32, seed=1), clustered(50, 32, seed=2)
    small_index.append(rows)
    assert_same(small_index.search(queries, 30), exact_cosine(rows, queries, 30))
    small_index.train(1)
    assert_same(small_index.search(queries, 30, EXACT), exact_cosine(rows, queries, 30))


def test_rows_behind_the_lists_are_found_at_once(small_index, clustered):
    rows = clustered(700, 32, seed=1)
    small_index.append(rows[:500])
    small_index.train(1)
    for part in np.array_split(rows[500:], 7):
        small_index.append(part)
    found = small_index.search(rows, 1)
    np.testing.assert_array_equal(found.positions[:, 0], np.arange(700))
    everything = SearchParameters(nprobe=10_000)
    assert_same(small_index.search(rows[::9], 40, everything), exact_cosine(rows, rows[::9], 40))


@pytest.mark.parametrize("masked_before_training", [False, True])
def test_masked_rows_are_never_returned(small_index, clustered, masked_before_training):
    rows, queries = clustered(700, 32, seed=1), clustered(30, 32, seed=2)
    dead = np.random.default_rng(3).permutation(700)[:140]
    small_index.append(rows[:600])
    if masked_before_training:
        small_index.mask(dead[dead < 600])
    small_index.train(1)
    small_index.append(rows[600:])
    small_index.mask(dead)
    alive = np.ones(700, bool)
    alive[dead] = False
    truth = exact_cosine(rows, queries, 25, alive)
    for parameters in (EXACT, SearchParameters(nprobe=10_000)):
        assert_same(small_index.search(queries, 25, parameters), truth)
    assert not np.isin(small_index.search(queries, 25).positions, dead).any()
    assert small_index.live_count == 560
    assert small_index.dead_fraction == pytest.approx(0.2)


def test_few_probes_cost_recall_but_never_hits(small_index, clustered):
    rows = clustered(600, 32, seed=1)
    small_index.append(rows)
    small_index.train(1)
    small_index.mask(np.arange(0, 600, 2))
    one = SearchParameters(nprobe=1)
    found = small_index.search(rows[:20], 300, one)
    assert (found.positions >= 0).all()
    assert (small_index.search(rows[:5], 301, one).positions[:, -1] == -1).all()
    few = small_index.search(rows[:20], 3, one)
    assert few.scores.sum() <= small_index.search(rows[:20], 3, EXACT).scores.sum() + 1e-4


def test_probing_more_lists_never_lowers_recall(cpu, clustered, recall):
    index = CosineIndex(32, cpu)
    index.append(clustered(4000, 32, seed=1, noise=3.0))
    queries = clustered(100, 32, seed=2, noise=3.0)
    index.train(1)
    truth = index.search(queries, 20, EXACT)
    curve = [
        recall(index.search(queries, 20, SearchParameters(nprobe=n)), truth)
        for n in (1, 4, 16, 126)
    ]
    assert curve == sorted(curve)
    assert curve[0] < 0.9 < curve[-1]


def test_nprobe_of_one_call_is_not_seen_by_the_next(small_index, clustered):
    rows = clustered(600, 32, seed=1, noise=3.0)
    small_index.append(rows)
    small_index.train(1)
    before = small_index.search(rows[:50], 10)
    small_index.search(rows[:50], 10, SearchParameters(nprobe=1))
    after = small_index.search(rows[:50], 10)
    np.testing.assert_array_equal(before.positions, after.positions)


def test_when_training_is_wanted(small_index, clustered):
    rows = clustered(1000, 32, seed=1)
    small_index.append(rows[:199])
    assert not small_index.wants_training
    small_index.append(rows[199:400])
    assert small_index.wants_training
    small_index.train(1)
    assert not small_index.wants_training
    small_index.append(rows[400:464])
    assert not small_index.wants_training
    small_index.append(rows[464:465])
    assert small_index.wants_training
    lists = small_index.state().arrays["centroids"]
    small_index.train(1)
    assert not small_index.wants_training
    assert small_index.state().arrays["centroids"] is lists
    small_index.append(rows[465:800])
    assert small_index.wants_training
    small_index.train(1)
    assert small_index.state().arrays["centroids"] is not lists


def test_too_few_rows_are_not_trained(small_index, clustered):
    small_index.append(clustered(1, 32, seed=1))
    small_index.train(1)
    assert small_index.describe().kind == "cosine-flat"


def test_rows_appended_during_training_are_served(small_index, clustered, monkeypatch):
    rows = clustered(800, 32, seed=1)
    small_index.append(rows[:500])
    trained = vector_training.train_clustering

    def meanwhile(*arguments):
        small_index.append(rows[500:])
        small_index.mask(np.array([3]))
        return trained(*arguments)

    monkeypatch.setattr(vector_training, "train_clustering", meanwhile)
    small_index.train(1)
    assert small_index.describe().covered == 500
    found = small_index.search(rows, 1).positions[:, 0]
    assert found[3] != 3
    np.testing.assert_array_equal(np.delete(found, 3), np.delete(np.arange(800), 3))


def test_a_search_never_meets_lists_newer_than_its_snapshot(small_index, clustered, monkeypatch):
    """Lists over more rows are adopted the moment after a search has taken its snapshot."""
    rows = clustered(700, 32, seed=1)
    small_index.append(rows[:600])
    log = small_index._log

    class Interrupted:
        @property
        def snapshot(self):
            taken = log.snapshot
            monkeypatch.setattr(small_index, "_log", log)
            small_index.append(rows[600:])
            small_index.train(1)
            return taken

    monkeypatch.setattr(small_index, "_log", Interrupted())
    found = small_index.search(rows, 20)
    assert small_index.describe().covered == 700
    assert found.positions.max() < 600


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, 0.0, 2.0])
def test_a_row_that_is_not_a_unit_vector_is_refused_with_its_number(small_index, spoiled):
    rows = np.eye(3, 32, dtype=np.float32)
    rows[2, 2] = spoiled
    with pytest.raises(ValueError, match="row 2 is not a unit vector"):
        small_index.append(rows)
    assert len(small_index) == 0


def test_bad_arguments_are_refused(small_index, cpu):
    with pytest.raises(TypeError, match="rows must be float32"):
        small_index.append(np.eye(3, 32))
    with pytest.raises(ValueError, match=r"queries must have shape \(n, 32\)"):
        small_index.search(np.ones((1, 31), np.float32), 1)
    with pytest.raises(ValueError, match="k must be"):
        small_index.search(np.ones((1, 32), np.float32), 0)
    with pytest.raises(ValueError, match="nprobe"):
        SearchParameters(nprobe=0)
    with pytest.raises(ValueError, match="dimension"):
        CosineIndex(0, cpu)


def test_an_empty_index_and_one_with_all_rows_masked_find_nothing(small_index, clustered):
    queries = clustered(3, 32, seed=2)
    assert (small_index.search(queries, 4).positions == -1).all()
    small_index.append(clustered(300, 32, seed=1))
    small_index.train(1)
    small_index.mask(np.arange(300))
    assert (small_index.search(queries, 4).positions == -1).all()
    assert (small_index.search(queries, 4, EXACT).positions == -1).all()


def test_describe_names_what_serves(small_index, clustered):
    index: VectorIndex = small_index
    assert index.describe().kind == "cosine-flat"
    small_index.append(clustered(900, 32, seed=1))
    small_index.train(1)
    described = index.describe()
    assert described.kind == "cosine-ivf"
    assert (described.rows, described.live, described.nlist) == (900, 900, 60)
    assert described.recall >= 0.99
    assert described.device == "cpu"
