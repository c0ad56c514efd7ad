import numpy as np

from tests.server.oracle import exact_cosine, exact_hamming

ROWS = np.array([[1, 0], [0, 1], [0.6, 0.8], [1, 0]], np.float32)
CODES = np.array([[0b0001], [0b0111], [0b0000], [0b0010]], np.uint8)


def test_cosine_ranks_by_inner_product_then_position():
    found = exact_cosine(ROWS, np.array([[1, 0]], np.float32), 3)
    assert found.positions.tolist() == [[0, 3, 2]]
    np.testing.assert_allclose(found.scores, [[1, 1, 0.6]], rtol=1e-6)


def test_hamming_ranks_by_distance_then_position():
    found = exact_hamming(CODES, np.array([[0], [7]], np.uint8), 4)
    assert found.positions.tolist() == [[2, 0, 3, 1], [1, 0, 3, 2]]
    assert found.scores.tolist() == [[0, 1, 1, 3], [0, 2, 2, 3]]


def test_masked_rows_are_left_out_and_the_end_is_padded():
    alive = np.array([False, True, True, False])
    found = exact_cosine(ROWS, np.array([[1, 0]], np.float32), 3, alive)
    assert found.positions.tolist() == [[2, 1, -1]]
    found = exact_hamming(CODES, np.array([[0]], np.uint8), 3, alive)
    assert found.positions.tolist() == [[2, 1, -1]]
    assert found.scores.tolist() == [[0, 3, 2**31 - 1]]
