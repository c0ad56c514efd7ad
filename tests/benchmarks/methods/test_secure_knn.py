import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.methods.draws import Draws
from benchmarks.methods.secure_knn import SecureKNN, scores


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 256))
def test_scores_rank_as_euclidean_distance_does(seed: int, dimension: int) -> None:
    generator = np.random.default_rng(seed)
    stored, asked = (generator.integers(0, 256, (n, dimension)).astype(float) for n in (40, 3))
    key = SecureKNN(dimension, Draws(seed))
    found = scores(key.trapdoor(asked, generator), key.index(stored, generator))
    apart = np.square(asked[:, None] - stored).sum(axis=2)
    for row, distances in zip(found, apart, strict=True):
        # Whole squared distances: those that differ, differ by one at least, and half of it counts.
        ranked = distances[np.argsort(-row)]
        assert (np.diff(ranked) > -0.5).all()


def test_inner_products_are_those_of_the_plain_vectors() -> None:
    generator = np.random.default_rng(0)
    stored, asked = generator.normal(size=(20, 8)), generator.normal(size=(5, 8))
    key = SecureKNN(8, Draws(0))
    found = scores(key.trapdoor(asked, generator), key.index(stored, generator))
    plain = asked @ stored.T - np.square(stored).sum(axis=1) / 2
    factors = found / plain
    assert np.allclose(factors, factors[:, :1])
    assert ((factors >= 0.5 - 1e-9) & (factors <= 2 + 1e-9)).all()


def test_equal_vectors_are_hidden_differently_and_keys_do_not_mix() -> None:
    generator = np.random.default_rng(0)
    vectors = np.ones((2, 8))
    key, other = (SecureKNN(8, Draws(seed)) for seed in (0, 1))
    stored, asked = key.index(vectors, generator), key.trapdoor(vectors, generator)
    assert not np.isclose(*stored).all()
    assert not np.isclose(*asked).all()
    right = scores(asked, stored)
    wrong = scores(other.trapdoor(vectors, generator), stored)
    assert np.allclose(right[:, 0], right[:, 1])
    assert not np.allclose(wrong[:, 0], wrong[:, 1])
