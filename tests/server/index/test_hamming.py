from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cipherlens.server.index import HammingIndex, SearchParameters, VectorIndex
from cipherlens.server.index.codes import code_size_bytes
from tests.server.oracle import exact_hamming

ALL_BITS = [12, 24, 32, 48, 64, 128, 256]


def codes(rng, count, bits, distinct=None):
    """Return random codes; distinct bounds how many different ones, so that ties are heavy."""
    rows = rng.integers(0, 256, (distinct or count, code_size_bytes(bits)), dtype=np.uint8)
    if bits % 8:
        rows[:, -1] &= (1 << bits % 8) - 1
    return rows[rng.integers(0, len(rows), count)] if distinct else rows


def assert_same(found, truth):
    np.testing.assert_array_equal(found.positions, truth.positions)
    np.testing.assert_array_equal(found.scores, truth.scores)


@pytest.mark.parametrize("bits", ALL_BITS)
@pytest.mark.parametrize("masked", [False, True])
def test_every_width_agrees_with_the_oracle(cpu, bits, masked):
    rng = np.random.default_rng(bits)
    rows, queries = codes(rng, 3000, bits), codes(rng, 40, bits)
    index = HammingIndex(bits)
    index.append(rows)
    alive = np.ones(len(rows), bool)
    if masked:
        alive[rng.integers(0, len(rows), 300)] = False
        index.mask(np.flatnonzero(~alive))
    assert_same(index.search(queries, 100), exact_hamming(rows, queries, 100, alive))


@dataclass(frozen=True)
class Scene:
    """Codes of few different values, some masked, appended in several parts."""

    seed: int
    count: int
    distinct: int
    parts: int
    dead_percent: int


scenes = st.builds(
    Scene,
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 4000),
    distinct=st.integers(1, 30),
    parts=st.integers(1, 4),
    dead_percent=st.sampled_from([0, 1, 10, 60, 100]),
)


@settings(max_examples=60)
@given(scene=scenes, queries=st.integers(1, 40), k=st.integers(1, 300))
def test_ties_are_kept_and_ordered_by_position(cpu, scene, queries, k):
    rng = np.random.default_rng(scene.seed)
    rows = codes(rng, scene.count, 12, scene.distinct)
    asked = codes(rng, queries, 12)
    alive = rng.integers(0, 100, scene.count) >= scene.dead_percent
    index = HammingIndex(12)
    for part in np.array_split(np.arange(scene.count), scene.parts):
        index.append(rows[part])
        index.mask(part[~alive[part]])
    assert_same(index.search(asked, k), exact_hamming(rows, asked, k, alive))
    assert index.live_count == alive.sum()


def test_ties_stay_in_order_where_faiss_scans_in_blocks(cpu):
    rng = np.random.default_rng(1)
    rows = codes(rng, 200_000, 12)
    queries = codes(rng, 3, 12)
    index = HammingIndex(12)
    index.append(rows)
    assert_same(index.search(queries, 1000), exact_hamming(rows, queries, 1000))


def test_an_empty_index_finds_nothing(cpu):
    index = HammingIndex(48)
    found = index.search(np.zeros((2, 6), np.uint8), 3)
    assert (found.positions == -1).all()
    assert (len(index), index.live_count, index.dead_fraction) == (0, 0, 0.0)


def test_no_queries_give_no_answers(cpu):
    index = HammingIndex(48)
    index.append(np.zeros((4, 6), np.uint8))
    assert index.search(np.zeros((0, 6), np.uint8), 3).positions.shape == (0, 3)


def test_a_bad_batch_leaves_the_index_as_it_was(cpu):
    index = HammingIndex(12)
    index.append(np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="code 1"):
        index.append(np.array([[0, 0], [0, 0xF0]], np.uint8))
    assert len(index) == 2


def test_bad_questions_are_refused(cpu):
    index = HammingIndex(12)
    with pytest.raises(ValueError, match="k must be"):
        index.search(np.zeros((1, 2), np.uint8), 0)
    with pytest.raises(ValueError, match="beyond its 12 bits"):
        index.search(np.full((1, 2), 255, np.uint8), 1)
    with pytest.raises(ValueError, match="bits must be"):
        HammingIndex(13)


def test_parameters_change_nothing_and_it_describes_itself(cpu):
    index: VectorIndex = HammingIndex(12)
    index.append(np.array([[3, 0], [1, 0]], np.uint8))
    query = np.zeros((1, 2), np.uint8)
    for parameters in (SearchParameters(nprobe=1), SearchParameters(exact=True)):
        assert index.search(query, 2, parameters).positions.tolist() == [[1, 0]]
    described = index.describe()
    assert described.kind == "hamming-flat"
    assert described.device == "cpu"
    assert (described.rows, described.nlist, described.nprobe) == (2, 0, 0)
