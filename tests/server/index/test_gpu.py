"""The GPU path on stand-ins, and on a GPU where FAISS has one.

The stand-ins are FAISS's CPU indexes, made as unhelpful as the GPU ones: they take no selector,
choose among ties as they like, select at most 2,048 rows, and fail where the GPU's lock is not
held.
"""

import gc
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import faiss
import numpy as np
import pytest

from cipherlens.server.index import (
    CosineIndex,
    Device,
    DeviceUnavailableError,
    IvfSettings,
    SearchParameters,
    gpu,
    resolve_device,
)
from tests.server.oracle import exact_cosine

EXACT = SearchParameters(exact=True)


class StandIn:
    """A FAISS index that takes no selector and no large k, and prefers the last of equal rows."""

    def __init__(self, index, log):
        self.gpu_lock = gpu.gpu_space(0).lock
        assert self.gpu_lock._is_owned()
        self.index, self.log = index, log
        self.nlist = getattr(index, "nlist", 0)

    def __del__(self):
        self.log.append(("freed", "locked" if self.gpu_lock._is_owned() else "unlocked"))

    @property
    def ntotal(self):
        return self.index.ntotal

    def add(self, rows):
        assert self.gpu_lock._is_owned()
        self.index.add(rows)

    def search(self, queries, k, params=None):
        assert self.gpu_lock._is_owned()
        assert k <= 2048
        assert params is None or params.sel is None
        self.log.append(("search", len(queries), k))
        scores, positions = self.index.search(queries, self.index.ntotal, params=params)
        farness = scores if scores.dtype == np.int32 else -scores
        order = np.lexsort((-positions, farness), axis=1)[:, :k]
        return np.take_along_axis(scores, order, 1), np.take_along_axis(positions, order, 1)


@pytest.fixture
def searches(monkeypatch):
    """Put the stand-ins in place, and return the list of what they are asked for."""
    log = []

    class Resources:
        def setTempMemory(self, size_bytes):  # noqa: N802 FAISS's name
            assert size_bytes > 0

    def made(index):
        return StandIn(index, log)

    def rows_or_centroids(resources, dimension, config):
        index = faiss.IndexFlatIP(dimension)
        shared = any(resources is each.resources for each in gpu._spaces.values())
        if not shared:
            log.append(("trained", dimension))
        return made(index) if shared else index

    stand_in = SimpleNamespace(
        StandardGpuResources=Resources,
        GpuIndexFlatConfig=SimpleNamespace,
        GpuIndexFlatIP=rows_or_centroids,
        index_cpu_to_gpu=lambda _, ordinal, index: made(faiss.clone_index(index)),
        SearchParametersIVF=faiss.SearchParametersIVF,
    )
    monkeypatch.setattr(gpu, "faiss", stand_in)
    monkeypatch.setattr(gpu, "_spaces", {})
    return log


@pytest.fixture(scope="module")
def no_gpu():
    """Return why FAISS cannot use a GPU here, or None when it can."""
    try:
        resolve_device("cuda:0")
    except DeviceUnavailableError as error:
        return str(error)
    return None


@pytest.fixture(params=["stand-ins", "a GPU"])
def asked(request, no_gpu):
    """Return what the stand-ins are asked for, or None on a GPU."""
    if request.param == "stand-ins":
        return request.getfixturevalue("searches")
    if no_gpu:
        pytest.skip(no_gpu)
    return None


CUDA = Device("cuda", 0)


@pytest.fixture
def trained(asked, clustered):
    index = CosineIndex(32, CUDA, IvfSettings(minimum_rows=200))
    index.append(clustered(700, 32, seed=1)[:600])
    index.train(1)
    index.append(clustered(700, 32, seed=1)[600:])
    return index


def test_each_row_has_the_list_of_its_nearest_centroid(asked, clustered):
    index = CosineIndex(32, CUDA, IvfSettings(minimum_rows=200))
    rows = clustered(700, 32, seed=1)
    index.append(rows)
    index.train(1)
    state = index.state()
    similarities = rows @ state.arrays["centroids"].T
    chosen = np.take_along_axis(similarities, state.arrays["lists"][:, None], 1)[:, 0]
    np.testing.assert_allclose(chosen, similarities.max(axis=1), atol=2e-6)
    assert asked is None or ("trained", 32) in asked


def test_a_few_thousand_rows_get_no_lists(asked, clustered):
    index = CosineIndex(32, CUDA, IvfSettings(minimum_rows=200))
    index.append(clustered(700, 32, seed=1))
    assert not index.wants_training
    assert asked in (None, [])


@pytest.mark.parametrize("dead", [0, 200, 699])
@pytest.mark.parametrize("parameters", [EXACT, SearchParameters(nprobe=10_000)])
def test_cosine_on_the_gpu_agrees_with_the_oracle(trained, clustered, dead, parameters):
    rows, queries = clustered(700, 32, seed=1), clustered(30, 32, seed=2)
    alive = np.ones(700, bool)
    alive[np.random.default_rng(3).permutation(700)[:dead]] = False
    trained.mask(np.flatnonzero(~alive))
    found, truth = trained.search(queries, 25, parameters), exact_cosine(rows, queries, 25, alive)
    np.testing.assert_array_equal(found.positions < 0, truth.positions < 0)
    valid = truth.positions >= 0
    np.testing.assert_allclose(found.scores[valid], truth.scores[valid], atol=2e-6)
    assert alive[found.positions[valid]].all()


def test_k_beyond_the_gpu_is_answered_exactly(asked, clustered):
    rows = clustered(2600, 8, seed=1)
    index = CosineIndex(8, CUDA)
    index.append(rows)
    found = index.search(rows[:2], 2500)
    assert (found.positions >= 0).all()
    assert not asked


def test_an_empty_index_finds_nothing(asked):
    queries = np.eye(2, 8, dtype=np.float32)
    assert (CosineIndex(8, CUDA).search(queries, 3).positions == -1).all()


def test_all_indexes_of_one_gpu_share_its_lock(searches):
    assert gpu.gpu_space(0) is gpu.gpu_space(0)
    assert gpu.gpu_space(1).lock is not gpu.gpu_space(0).lock


def test_it_says_where_it_lives(trained):
    assert trained.describe().device == "cuda:0"


@pytest.mark.parametrize("asked", ["stand-ins"], indirect=True)
def test_replaced_lists_are_freed_under_the_lock(trained, asked):
    asked.clear()
    trained.train(1)
    gc.collect()
    assert asked == [("freed", "locked")]  # extended alone: the centroids stay


def test_threads_append_mask_and_search_at_once(asked, clustered):
    rows = clustered(4000, 32, seed=1)
    index = CosineIndex(32, CUDA, IvfSettings(minimum_rows=200))
    index.append(rows[:1000])
    index.train(1)

    def append(start):
        index.append(rows[start : start + 100])

    def search(number):
        parameters = EXACT if number % 2 else SearchParameters(nprobe=4)
        return index.search(rows[number : number + 1], 5, parameters).positions[0, 0]

    with ThreadPoolExecutor(4) as pool:
        appended = [pool.submit(append, start) for start in range(1000, 4000, 100)]
        found = [pool.submit(search, number) for number in range(200)]
        index.mask(np.arange(900, 1000))
    assert [each.result() for each in appended] == [None] * 30
    assert [each.result() for each in found] == list(range(200))
    np.testing.assert_allclose(index.search(rows[1000:], 1, EXACT).scores, 1, atol=2e-6)
