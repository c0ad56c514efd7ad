"""What an index gives away comes back through files, and what does not fit is refused."""

import json

import numpy as np
import pytest

from cipherlens.base import IndexChoice
from cipherlens.server.index import (
    CosineIndex,
    HammingIndex,
    IndexState,
    IvfSettings,
    SearchParameters,
    UnfitStateError,
    live_only,
)
from tests.server.numpy_index import NumpyIndex

TRAINS_EARLY = IvfSettings(minimum_rows=200, calibration_queries=64)
INDEXES = {
    "cosine": lambda cpu: CosineIndex(32, cpu, TRAINS_EARLY),
    "graph": lambda cpu: CosineIndex(32, cpu, TRAINS_EARLY, IndexChoice.HNSW),
    "codes": lambda cpu: HammingIndex(12),
    "numpy": lambda cpu: NumpyIndex(32, cpu, TRAINS_EARLY),
}


@pytest.fixture(params=INDEXES)
def new(request, cpu):
    """Return a function that makes an empty index of each type."""
    return lambda: INDEXES[request.param](cpu)


@pytest.fixture
def rows(new, clustered):
    """Return rows for the index, some of them equal."""
    if new().row_type == np.uint8:
        return np.random.default_rng(1).integers(0, 16, (900, 2), np.uint8)
    return clustered(900, 32, seed=1, noise=2.0)


def through_files(state, folder):
    """Return the state as another process would find it, arrays mapped and not to be written."""
    folder.mkdir()
    for name, array in state.arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    (folder / "facts").write_text(json.dumps(state.facts))
    return IndexState(
        facts=json.loads((folder / "facts").read_text()),
        arrays={path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")},
    )


def assert_answers_alike(left, right, queries):
    for parameters in (SearchParameters(), SearchParameters(nprobe=2)):
        expected, found = (each.search(queries, 20, parameters) for each in (left, right))
        np.testing.assert_array_equal(found.positions, expected.positions)
        np.testing.assert_array_equal(found.scores, expected.scores)


def test_an_index_comes_back_as_it_was(new, rows, tmp_path):
    index, back = new(), new()
    index.append(rows[:500])
    index.mask(np.arange(0, 500, 7))
    index.train(1)
    index.mask(np.arange(0, 500, 50))
    index.append(rows[500:700])
    back.restore(through_files(index.state(), tmp_path / "kept"))
    assert (len(back), back.live_count) == (len(index), index.live_count)
    assert (back.describe().nprobe, back.describe().recall) == (
        index.describe().nprobe,
        index.describe().recall,
    )
    assert_answers_alike(index, back, rows[:60])


def test_what_came_back_goes_on_like_the_first(new, rows, tmp_path):
    index, back = new(), new()
    index.append(rows[:500])
    index.train(1)
    back.restore(through_files(index.state(), tmp_path / "kept"))
    for each in (index, back):
        each.append(rows[500:])
        each.mask(np.array([3, 600]))
        each.train(2)
    assert len(back) == 900
    assert_answers_alike(index, back, rows[:60])


def test_a_state_is_of_its_moment(new, rows, tmp_path):
    index, back = new(), new()
    index.append(rows[:300])
    state = index.state()
    index.append(rows[300:])
    index.mask(np.arange(200))
    back.restore(through_files(state, tmp_path / "kept"))
    assert (len(back), back.live_count) == (300, 300)


def test_an_empty_index_comes_back_too(new, rows, tmp_path):
    back = new()
    back.restore(through_files(new().state(), tmp_path / "kept"))
    assert len(back) == 0
    back.append(rows[:0])
    back.append(rows)
    assert back.search(rows[:1], 1).positions.tolist() == [[0]]


def test_a_state_of_another_length_or_metric_is_refused(cpu, clustered):
    vectors, codes = CosineIndex(16, cpu), HammingIndex(24)
    states = [vectors.state(), codes.state()]
    for index in (CosineIndex(32, cpu), HammingIndex(32)):
        for state in states:
            with pytest.raises(UnfitStateError, match="must be"):
                index.restore(state)
        index.restore(index.state())
    other = NumpyIndex(16, cpu, None).state()
    with pytest.raises(UnfitStateError, match=r"rows must be \(None, 32\)"):
        NumpyIndex(32, cpu, None).restore(other)


SPOILED = {
    "rows": lambda a: a[:, :31],
    "alive": lambda a: a[:-1],
    "centroids": lambda a: a[:, :31],
    "lists": lambda a: a + 1000,
}


@pytest.mark.parametrize("name", SPOILED)
def test_an_array_that_does_not_fit_is_refused_and_nothing_is_taken(cpu, clustered, name):
    index, back = INDEXES["cosine"](cpu), INDEXES["cosine"](cpu)
    index.append(clustered(500, 32, seed=1))
    index.mask(np.array([1]))
    index.train(1)
    state = index.state()
    arrays = {**state.arrays, name: SPOILED[name](state.arrays[name])}
    with pytest.raises(UnfitStateError, match=f"{name} must"):
        back.restore(IndexState(facts=state.facts, arrays=arrays))
    assert len(back) == 0
    back.restore(state)
    assert len(back) == 500


@pytest.mark.parametrize("name", ["trained_on", "nprobes", "recall"])
def test_a_fact_that_is_missing_is_refused(cpu, clustered, name):
    index, back = INDEXES["cosine"](cpu), INDEXES["cosine"](cpu)
    index.append(clustered(500, 32, seed=1))
    index.train(1)
    state = index.state()
    facts = {known: value for known, value in state.facts.items() if known != name}
    with pytest.raises(UnfitStateError, match=f"{name} must be of type"):
        back.restore(IndexState(facts=facts, arrays=state.arrays))
    assert len(back) == 0


@pytest.mark.parametrize(
    ("name", "value"), [("covered", 501), ("covered", 300), ("trained_on", None), ("ef", 1.5)]
)
def test_a_graph_that_does_not_fit_is_refused(cpu, clustered, name, value):
    index, back = INDEXES["graph"](cpu), INDEXES["graph"](cpu)
    index.append(clustered(500, 32, seed=1))
    index.train(1)
    state = index.state()
    with pytest.raises(UnfitStateError, match="must be"):
        back.restore(IndexState(facts={**state.facts, name: value}, arrays=state.arrays))
    assert len(back) == 0


def test_what_another_choice_trained_is_left_out(cpu, clustered):
    graph, lists = INDEXES["graph"](cpu), INDEXES["cosine"](cpu)
    for index in (graph, lists):
        index.append(clustered(500, 32, seed=1))
        index.train(1)
    for index, other in ((INDEXES["graph"](cpu), lists), (INDEXES["cosine"](cpu), graph)):
        index.restore(other.state())
        assert (len(index), index.describe().kind) == (500, "cosine-flat")
        assert index.wants_training


def test_a_missing_array_is_named(cpu, clustered):
    state = INDEXES["cosine"](cpu).state()
    with pytest.raises(UnfitStateError, match="rows is missing"):
        INDEXES["cosine"](cpu).restore(IndexState(facts=state.facts, arrays={}))


def test_masked_rows_can_be_left_out(new, rows, tmp_path):
    index, back = new(), new()
    index.append(rows[:600])
    index.mask(np.arange(0, 600, 3))
    index.train(1)
    index.mask(np.arange(1, 600, 3))
    index.append(rows[600:700])
    state, kept = live_only(through_files(index.state(), tmp_path / "kept"))
    back.restore(state)
    np.testing.assert_array_equal(kept, [n for n in range(700) if n >= 600 or n % 3 == 2])
    assert (len(back), back.live_count, back.dead_fraction) == (300, 300, 0.0)
    exact = SearchParameters(exact=True)
    for parameters in (exact, SearchParameters(nprobe=1000)):
        expected, found = (each.search(rows[:50], 20, parameters) for each in (index, back))
        # How many rows there are may change in which order a FAISS adds up a product.
        np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-6)
    expected, found = (each.search(rows[:50], 20, exact) for each in (index, back))
    np.testing.assert_array_equal(kept[found.positions], expected.positions)


def test_what_has_no_masked_rows_is_left_as_it_is(new, rows):
    index = new()
    index.append(rows[:9])
    state = index.state()
    assert live_only(state)[1].tolist() == list(range(9))
    assert len(live_only(state)[0].arrays["rows"]) == 9
