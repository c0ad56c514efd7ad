import numpy as np
import pytest

from cipherlens.server.index import CosineIndex, IvfSettings, SearchParameters, ivf, train_ivf

SETTINGS = IvfSettings(minimum_rows=200, calibration_queries=200)


@pytest.fixture
def index(cpu, clustered):
    index = CosineIndex(32, cpu, SETTINGS)
    index.append(clustered(2000, 32, seed=1, noise=2.0))
    return index


def test_the_same_plan_and_seed_give_the_same_lists(index):
    plan = index.training_snapshot()
    first, again, other = (train_ivf(plan, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.clustering.lists, again.clustering.lists)
    assert (first.clustering.lists != other.clustering.lists).any()
    assert (first.nprobe, first.recall) == (again.nprobe, again.recall)


def test_every_live_row_is_in_the_list_it_was_given(index):
    index.mask(np.arange(0, 2000, 10))
    trained = train_ivf(index.training_snapshot(), 1)
    inverted = trained.index.invlists
    assert inverted.compute_ntotal() == 1800
    sizes = [inverted.list_size(i) for i in range(trained.index.nlist)]
    kept = trained.clustering.lists[np.arange(2000) % 10 != 0]
    np.testing.assert_array_equal(sizes, np.bincount(kept, minlength=len(sizes)))


@pytest.mark.parametrize("masked", [False, True])
def test_the_calibrated_recall_is_what_a_search_measures(index, masked):
    """Search every live row through the lists, itself left out, and compare with calibration."""
    if masked:
        index.mask(np.arange(1500, 2000))
    trained = train_ivf(index.training_snapshot(), 1)
    index.adopt(trained)
    positions = np.arange(1500)
    queries = index.training_snapshot().snapshot.rows[positions]
    truth = index.search(queries, 21, SearchParameters(exact=True)).positions[:, 1:]
    hits = {}
    for nprobe in (trained.nprobe, max(1, trained.nprobe // 2)):
        found = index.search(queries, 21, SearchParameters(nprobe=nprobe)).positions
        hits[nprobe] = np.mean([len(set(a) & set(b)) for a, b in zip(found, truth, strict=True)])
    assert hits[trained.nprobe] / 20 == pytest.approx(trained.recall, abs=0.004)
    assert min(hits.values()) / 20 < SETTINGS.target_recall


@pytest.mark.parametrize("recall_at", [1, 3])
def test_calibration_agrees_with_plain_searches(cpu, clustered, recall_at):
    """Every query is left out of its own answer, and nothing but recall_at others is counted."""
    settings = IvfSettings(minimum_rows=200, recall_at=recall_at, target_recall=0.9)
    index = CosineIndex(32, cpu, settings)
    index.append(clustered(1500, 32, seed=1, noise=2.0))
    plan = index.training_snapshot()
    trained = train_ivf(plan, 1)
    index.adopt(trained)
    held_out = np.arange(0, 1500, 10)
    queries = plan.snapshot.rows[held_out]

    def others(parameters):
        found = index.search(queries, recall_at + 1, parameters).positions
        return [
            set([p for p in row if p != own][:recall_at])
            for own, row in zip(held_out, found, strict=True)
        ]

    def recall_with(nprobe):
        pairs = zip(others(SearchParameters(nprobe=nprobe)), truth, strict=True)
        return sum(len(a & b) for a, b in pairs) / (recall_at * len(held_out))

    truth = others(SearchParameters(exact=True))
    nprobe, recall = ivf._calibrate(plan, trained.clustering, held_out)
    assert recall == pytest.approx(recall_with(nprobe))
    assert recall_with(nprobe - 1) < 0.9 <= recall


def test_the_nprobe_is_the_smallest_that_reaches_the_target(index, clustered):
    trained = train_ivf(index.training_snapshot(), 1)
    assert trained.recall >= SETTINGS.target_recall
    strict = CosineIndex(32, index.device, IvfSettings(minimum_rows=200, target_recall=1.0))
    strict.append(clustered(2000, 32, seed=1, noise=2.0))
    lax = CosineIndex(32, index.device, IvfSettings(minimum_rows=200, target_recall=0.5))
    lax.append(clustered(2000, 32, seed=1, noise=2.0))
    probes = [train_ivf(i.training_snapshot(), 1).nprobe for i in (lax, index, strict)]
    assert probes == sorted(probes)
    assert probes[0] < probes[-1]


def test_a_second_build_keeps_centroids_and_known_rows(index, clustered):
    first = train_ivf(index.training_snapshot(), 1)
    index.adopt(first)
    index.append(clustered(1500, 32, seed=5, noise=2.0))
    second = train_ivf(index.training_snapshot(), 2)
    assert second.clustering.centroids is first.clustering.centroids
    assert second.clustering.trained_on == 2000
    np.testing.assert_array_equal(second.clustering.lists[:2000], first.clustering.lists)
    assert second.clustering.covered == 3500
    index.adopt(second)
    rows = index.training_snapshot().snapshot.rows
    np.testing.assert_array_equal(index.search(rows, 1).positions[:, 0], np.arange(3500))


def test_duplicates_of_a_query_do_not_stop_calibration(cpu):
    index = CosineIndex(8, cpu, SETTINGS)
    index.append(np.tile(np.eye(1, 8, dtype=np.float32), (300, 1)))
    trained = train_ivf(index.training_snapshot(), 1)
    index.adopt(trained)
    assert (index.search(np.eye(1, 8, dtype=np.float32), 20).positions >= 0).all()


def test_too_few_rows_are_refused(cpu):
    index = CosineIndex(8, cpu)
    index.append(np.eye(1, 8, dtype=np.float32))
    with pytest.raises(ValueError, match="at least 2 live rows, got 1"):
        train_ivf(index.training_snapshot(), 1)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("minimum_rows", 99),
        ("lists_per_root", 0.0),
        ("growth", 1.0),
        ("tail_fraction", 0.0),
        ("target_recall", 1.1),
        ("recall_at", 0),
        ("calibration_queries", 0),
    ],
)
def test_settings_are_checked(field, value):
    with pytest.raises(ValueError, match=f"{field} must .* got {value}"):
        IvfSettings(**{field: value})
