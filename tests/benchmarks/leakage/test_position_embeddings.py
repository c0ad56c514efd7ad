import numpy as np
import pytest
from safetensors.numpy import save_file

from benchmarks.leakage.position_embeddings import (
    adjacency,
    embeddings_of,
    layout,
    likeness,
    neighbours_laid,
    neighbours_read,
)

ROWS, COLUMNS = 4, 6


@pytest.fixture
def order():
    return np.random.default_rng(0).permutation(ROWS * COLUMNS)


def truth_of(order):
    return adjacency(ROWS, COLUMNS)[np.ix_(order, order)]


def test_embeddings_that_follow_the_places_tell_the_order(order):
    rows, columns = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    centres = np.stack(np.meshgrid(np.arange(-1, 5), np.arange(-1, 7)), axis=2).reshape(-1, 2)
    distances = (rows[:, None] - centres[:, 0]) ** 2 + (columns[:, None] - centres[:, 1]) ** 2
    alike = likeness(np.exp(-distances / 2)[order])
    assert neighbours_read(alike, truth_of(order)) > 0.95
    assert neighbours_laid(layout(alike, ROWS, COLUMNS), truth_of(order)) > 0.9


def test_random_embeddings_tell_nothing(order):
    alike = likeness(np.random.default_rng(1).standard_normal((ROWS * COLUMNS, 64)))
    assert (
        neighbours_read(alike, truth_of(order)) < 0.35
    )  # by chance 38 of 276 pairs are neighbours
    assert neighbours_laid(layout(alike, ROWS, COLUMNS), truth_of(order)) < 0.5


def test_a_mirrored_layout_is_as_good():
    grid = np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS)
    truth = adjacency(ROWS, COLUMNS)
    assert neighbours_laid(grid, truth) == neighbours_laid(grid[::-1, ::-1], truth) == 1


def test_the_embeddings_of_blocks_are_read_without_that_of_the_class(tmp_path):
    tensors = {
        "backbone.pos_embed": np.arange(15, dtype=np.float32).reshape(1, 5, 3),
        "head.weight": np.zeros((2, 2), np.float32),
    }
    save_file(tensors, tmp_path / "network.safetensors")
    found = embeddings_of(tmp_path / "network.safetensors", 4)
    assert (found == tensors["backbone.pos_embed"][0, 1:]).all()
