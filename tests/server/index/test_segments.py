"""New rows get small lists of their own, which are merged as they grow."""

from itertools import pairwise

import numpy as np
import pytest

from cipherlens.server.index import CosineIndex, HammingIndex, IvfSettings, SearchParameters
from cipherlens.server.index.segments import Segment, with_newest
from tests.server.oracle import exact_cosine

ALL_LISTS = SearchParameters(nprobe=10_000)
SETTINGS = IvfSettings(minimum_rows=200, minimum_codes=200, calibration_queries=64)


def listed(index):
    """Return every position in the lists of an index, with the list it is in."""
    found = []
    for segment in index._trained.segments:
        lists = segment.index.invlists
        for number in range(lists.nlist):
            size = lists.list_size(number)
            ids = [lists.get_single_id(number, place) for place in range(size)]
            found += [(position, number) for position in ids]
    return sorted(found)


def grown(index, rows):
    index.append(rows[:1000])
    index.train(1)
    for part in np.array_split(rows[1000:], 9):
        index.append(part)
        index.train(1)
    return index


def test_rows_that_come_later_lie_in_the_list_of_their_nearest_centroid(cpu, clustered):
    rows = clustered(1900, 32, seed=1, noise=2.0)
    index = grown(CosineIndex(32, cpu, SETTINGS), rows)
    positions, lists = zip(*listed(index), strict=True)
    assert positions == tuple(range(1900))
    nearest = np.argmax(rows @ index.state().arrays["centroids"].T, axis=1)
    np.testing.assert_array_equal(lists, nearest)
    np.testing.assert_array_equal(lists, index.state().arrays["lists"])


def test_a_search_goes_through_all_segments(cpu, clustered):
    rows, queries = clustered(1900, 32, seed=1, noise=2.0), clustered(50, 32, seed=2, noise=2.0)
    index = grown(CosineIndex(32, cpu, SETTINGS), rows)
    index.append(rows[:30])  # a tail too short for lists
    assert len(index._trained.segments) > 1
    rows = np.concatenate([rows, rows[:30]])
    alive = np.arange(len(rows)) % 5 > 0
    index.mask(np.flatnonzero(~alive))
    found, truth = index.search(queries, 25, ALL_LISTS), exact_cosine(rows, queries, 25, alive)
    np.testing.assert_allclose(found.scores, truth.scores, atol=2e-6)
    assert alive[found.positions].all()


@pytest.mark.parametrize("masked", [False, True])
def test_codes_go_through_all_segments_too(cpu, masked):
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 256, (20_000, 8), np.uint8)
    index = HammingIndex(64, SETTINGS)
    index.append(rows[:11_000])
    index.train(1)
    index.append(rows[11_000:12_000])
    index._trained = index._trained.extended(index._log.snapshot)
    index.append(rows[12_000:])
    if masked:
        index.mask(np.arange(0, 20_000, 9))
    assert len(index._trained.segments) == 2
    found = index.search(rows[:40], 20, ALL_LISTS)
    truth = index.search(rows[:40], 20, SearchParameters(exact=True))
    np.testing.assert_array_equal(found.scores, truth.scores)
    assert not masked or (found.positions % 9 > 0).all()


def test_rows_masked_before_they_got_a_list_are_in_none(cpu, clustered):
    index = CosineIndex(32, cpu, SETTINGS)
    rows = clustered(700, 32, seed=1)
    index.append(rows[:500])
    index.mask(np.arange(0, 500, 10))
    index.train(1)
    index.append(rows[500:])
    index.mask(np.arange(500, 700, 10))
    index.train(1)
    assert [position for position, _ in listed(index)] == [n for n in range(700) if n % 10]


class Sizes:
    """Lists that know only how many rows they took."""

    def __init__(self):
        self.invlists = self
        self.ntotal = 0

    def copy_subset_to(self, other, kind, first, last):
        pass


def test_each_segment_stays_far_larger_than_the_next():
    segments = (Segment(Sizes(), 10_000),)
    for rows in [65] * 200:
        segments = with_newest(segments, Segment(Sizes(), rows), Sizes)
        sizes = [each.rows for each in segments]
        assert all(left > 8 * right for left, right in pairwise(sizes))
    assert sum(sizes) == 10_000 + 200 * 65
    assert len(sizes) <= 4
