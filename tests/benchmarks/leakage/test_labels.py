import numpy as np
import pytest

from benchmarks.leakage.labels import by_linear_probe, by_neighbours, few_of_each
from cipherlens.crypto import VectorMask

JUDGES = pytest.mark.parametrize("judge", [by_neighbours, by_linear_probe])


def two_classes(count=200, seed=0):
    draw = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    rows = draw.standard_normal((count, 16))
    rows[:, 0] += 8 * labels
    return rows, labels.astype(np.int64)


@JUDGES
def test_labels_of_apart_classes_are_told_from_a_few(judge):
    rows, labels = two_classes()
    known = few_of_each(labels, 5, np.random.default_rng(1))
    assert known.sum() == 10
    assert (judge(rows[known], labels[known], rows[~known]) == labels[~known]).mean() > 0.95


@JUDGES
def test_random_rows_tell_nothing(judge):
    rows = np.random.default_rng(0).standard_normal((400, 16))
    labels = (np.arange(400) % 2).astype(np.int64)
    known = few_of_each(labels, 50, np.random.default_rng(1))
    right = (judge(rows[known], labels[known], rows[~known]) == labels[~known]).mean()
    assert right == pytest.approx(0.5, abs=0.15)


@JUDGES
def test_a_mask_does_not_hide_classes_from_who_has_labels(judge):
    rows, labels = two_classes()
    masked = VectorMask(bytes(32), 16).masked(rows).astype(np.float64)
    known = few_of_each(labels, 5, np.random.default_rng(1))
    plain = judge(rows[known], labels[known], rows[~known])
    assert (judge(masked[known], labels[known], masked[~known]) == plain).mean() > 0.97
