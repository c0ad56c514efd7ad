import numpy as np
import pytest

from benchmarks.leakage.vector_masks import rotation_between, solve_map
from cipherlens.crypto import VectorMask


def vectors_and_masked(count, dimension=48, seed=0):
    draw = np.random.default_rng(seed)
    vectors = draw.standard_normal((count, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, VectorMask(draw.bytes(32), dimension).masked(vectors)


def test_as_many_pairs_as_numbers_undo_the_mask_of_the_client():
    plain, masked = vectors_and_masked(200)
    turn = solve_map(plain[:60], masked[:60])
    assert plain[60:] @ turn == pytest.approx(masked[60:], abs=1e-4)


def test_fewer_pairs_say_what_they_span_and_no_more():
    plain, masked = vectors_and_masked(200)
    turn = solve_map(plain[:10], masked[:10])
    assert plain[:10] @ turn == pytest.approx(masked[:10], abs=1e-4)
    assert np.linalg.matrix_rank(turn, tol=1e-3) == 10


def test_a_rotation_bears_wrong_pairs():
    plain, masked = vectors_and_masked(400)
    wrong = masked.copy()
    wrong[:40] = wrong[:40][::-1]
    turn = rotation_between(plain, wrong)
    nearest = (plain @ turn @ masked.T).argmax(axis=1)
    assert (nearest == np.arange(400)).all()
    assert turn @ turn.T == pytest.approx(np.eye(48), abs=1e-6)
