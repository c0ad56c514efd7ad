from dataclasses import replace

import numpy as np
import pytest

from cipherlens.model.evaluation.agreement import Agreement, compare_rankings
from cipherlens.model.evaluation.rankings import Rankings, rank_codes, rank_vectors

LABELS = np.arange(60) % 3


def vectors(noise: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(5)
    made = generator.normal(size=(60, 8)) + LABELS[:, None] * generator.normal(size=8)
    made += noise * np.random.default_rng(6).normal(size=made.shape)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def compared(served: Rankings, memory: Rankings) -> Agreement:
    return compare_rankings(served, memory, LABELS, LABELS, exclude_self=True, ranks=(1, 20))


def test_vectors_of_other_batches_agree() -> None:
    stored, queries = vectors(), vectors(noise=1e-3)
    agreement = compared(rank_vectors(queries, stored, 60), rank_vectors(stored, stored, 60))
    assert agreement.differences() == []
    assert agreement.lowest_own_cosine == pytest.approx((queries * stored).sum(axis=1).min())
    assert 0 < agreement.largest_score_difference < 0.01
    assert agreement.served.precision_at == pytest.approx(agreement.memory.precision_at, abs=0.05)


def test_other_vectors_do_not() -> None:
    stored, queries = vectors(), vectors(noise=1)
    agreement = compared(rank_vectors(queries, stored, 60), rank_vectors(stored, stored, 60))
    by_map, by_cosine = agreement.differences()
    assert by_map.startswith("mAP 0.")
    assert by_cosine == f"cosine {agreement.lowest_own_cosine:.6f} of a query and its stored vector"


def test_a_difference_of_map_at_k_counts_where_rankings_are_cut_off() -> None:
    exact = rank_vectors(vectors(), vectors(), 10)
    agreement = compared(exact, exact)
    assert agreement.differences() == []
    figures = replace(agreement.memory, average_precision_at={1000: 0.5})
    moved = replace(figures, average_precision_at={1000: 0.5021})
    assert replace(agreement, memory=figures, served=moved).differences() == [
        "mAP 0.5021 is not 0.5000"
    ]


def test_hamming_distances_are_the_same_or_wrong() -> None:
    codes = np.random.default_rng(7).integers(0, 256, (60, 2), dtype=np.uint8)
    memory = rank_codes(codes, codes, 30)
    assert compared(memory, memory).differences() == []
    scores = memory.scores.copy()
    scores[3, -1] += 2
    served = Rankings(positions=memory.positions, scores=scores)
    agreement = compared(served, memory)
    assert agreement.differences() == ["distances differ by up to 2 bits"]
    assert agreement.lowest_own_cosine is None


def test_rankings_of_one_depth() -> None:
    codes = np.zeros((60, 1), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"one shape, got \(60, 4\) and \(60, 5\)"):
        compared(rank_codes(codes, codes, 4), rank_codes(codes, codes, 5))
