import numpy as np

from benchmarks.leakage.jigsaw_scores import beside, in_place, largest_piece

TRUTH = np.arange(12).reshape(3, 4)


def test_the_solution_has_everything():
    assert in_place(TRUTH, TRUTH) == beside(TRUTH, TRUTH) == largest_piece(TRUTH, TRUTH) == 1


def test_moved_by_a_column_nothing_is_in_place_and_most_are_beside():
    moved = np.roll(TRUTH, 1, axis=1)
    assert in_place(moved, TRUTH) == 0
    assert beside(moved, TRUTH) == (2 * 3 + 2 * 4) / 17
    assert largest_piece(moved, TRUTH) == 9 / 12


def test_backwards_nothing_is_beside():
    assert beside(TRUTH[::-1, ::-1], TRUTH) == 0
    assert largest_piece(TRUTH[::-1, ::-1], TRUTH) == 1 / 12


def test_equal_blocks_stand_for_each_other():
    contents = np.array([[0, 0], [1, 2]])
    assert in_place(contents[:, ::-1], contents) == 0.5
    assert beside(contents, contents) == 1
