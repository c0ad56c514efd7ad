import numpy as np
import pytest

from cipherlens.server.index.overfetch import fetch_count, keep_live
from cipherlens.server.index.protocol import SearchResult
from cipherlens.server.index.rowlog import RowLog


def snapshot(rows, dead=()):
    log = RowLog(1, np.uint8)
    log.append(np.zeros((rows, 1), np.uint8))
    log.mask(np.array(dead, np.int64))
    return log.snapshot


def fetched(positions, scores=None):
    positions = np.array(positions, np.int64)
    if scores is None:
        scores = np.tile(np.arange(positions.shape[1]), (len(positions), 1))
    return SearchResult(positions, np.array(scores, np.int32))


@pytest.mark.parametrize(
    ("rows", "dead", "k", "count"),
    [
        (5000, 0, 20, 32),
        (5000, 0, 31, 32),
        (5000, 0, 32, 64),
        (5000, 100, 20, 128),
        (50, 0, 40, 50),
        (5000, 3000, 20, 2048),
        (5000, 0, 4000, 2048),
        (0, 0, 5, 0),
    ],
)
def test_fetch_count_leaves_room_for_dead_rows(rows, dead, k, count):
    assert fetch_count(snapshot(rows, range(dead)), k, 2048) == count


def test_dead_rows_are_dropped_and_the_order_stays():
    found, lacking = keep_live(fetched([[4, 1, 3, 0], [1, 0, 2, 3]]), snapshot(5, [1, 2]), 2)
    assert found.positions.tolist() == [[4, 3], [0, 3]]
    assert found.scores.tolist() == [[0, 2], [1, 3]]
    assert lacking.tolist() == [False, False]


def test_a_query_that_lacks_live_rows_is_named():
    found, lacking = keep_live(fetched([[1, 2, 0], [3, 4, 0]]), snapshot(6, [1, 2]), 2)
    assert found.positions.tolist() == [[0, -1], [3, 4]]
    assert lacking.tolist() == [True, False]


def test_a_query_with_every_live_row_lacks_nothing():
    found, lacking = keep_live(fetched([[1, 0, -1]]), snapshot(2, [1]), 5)
    assert found.positions.tolist() == [[0, -1, -1, -1, -1]]
    assert lacking.tolist() == [False]


def test_an_empty_place_is_not_the_last_row():
    found, _ = keep_live(fetched([[-1, -1]]), snapshot(3, [0]), 2)
    assert found.positions.tolist() == [[-1, -1]]
