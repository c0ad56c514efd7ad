import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.model.codes import binarise
from cipherlens.model.evaluation import rankings as module
from cipherlens.model.evaluation.rankings import Rankings, rank_codes, rank_vectors


@given(
    seed=st.integers(0, 1000),
    images=st.integers(1, 30),
    k=st.integers(1, 30),
    pairs=st.sampled_from([1, 70, 10_000]),
)
def test_the_first_of_a_stable_sort(seed: int, images: int, k: int, pairs: int) -> None:
    """Small whole numbers make many ties: in both kinds these go by position."""
    generator = np.random.default_rng(seed)
    vectors = generator.integers(-1, 2, (images, 3)).astype(np.float32)
    codes = binarise(generator.random((images, 3)))
    k = min(k, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAIRS", pairs)
        by_cosine = rank_vectors(vectors[:5], vectors, k)
        by_bits = rank_codes(codes[:5], codes, k)
    similarity = vectors[:5] @ vectors.T
    distances = np.bitwise_count(codes[:5, None, 0] ^ codes[None, :, 0]).astype(np.int64)
    for found, scores, order in (
        (by_cosine, similarity, np.argsort(-similarity, axis=1, kind="stable")),
        (by_bits, distances, np.argsort(distances, axis=1, kind="stable")),
    ):
        assert found.depth == k
        assert found.positions.tolist() == order[:, :k].tolist()
        assert found.scores.tolist() == np.take_along_axis(scores, order[:, :k], axis=1).tolist()


def test_an_image_leaves_its_own_ranking() -> None:
    rankings = Rankings(
        positions=np.array([[0, 2], [0, 2], [0, 2]]),  # the second is as near but comes too late
        scores=np.array([[0, 1], [0, 0], [1, 1]]),
    )
    assert rankings.own_scores().tolist() == [0, 1]
    others = rankings.without_own()
    assert others.positions.tolist() == [[2], [0], [0]]
    assert others.scores.tolist() == [[1], [0], [1]]


def test_no_more_images_than_there_are() -> None:
    vectors = np.ones((2, 3), dtype=np.float32)
    for k in (0, 3):
        with pytest.raises(ValueError, match=f"k must be from 1 to 2, got {k}"):
            rank_vectors(vectors, vectors, k)
        with pytest.raises(ValueError, match=f"k must be from 1 to 2, got {k}"):
            rank_codes(np.zeros((2, 1), np.uint8), np.zeros((2, 1), np.uint8), k)
