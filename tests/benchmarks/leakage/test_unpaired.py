import numpy as np

from benchmarks.leakage.unpaired import (
    code_mask_by_distances,
    rotation_by_distances,
    rotation_by_statistics,
)
from cipherlens.crypto import CodeMask, VectorMask


def clustered(count, dimension, seed):
    """Vectors about ten centres, of unlike spread along each axis and with long tails."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((10, dimension))
    found = centres[draw.integers(0, 10, count)] + draw.exponential(0.7, (count, dimension))
    found *= np.linspace(2, 0.2, dimension)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_distances_alone_undo_the_mask_of_vectors_if_the_pictures_are_those_stored():
    vectors = clustered(120, 32, 1)
    stored = VectorMask(bytes(range(32)), 32).masked(vectors)
    shuffled = np.random.default_rng(2).permutation(120)
    turn = rotation_by_distances(vectors[shuffled], stored)
    assert ((vectors @ turn @ stored.T).argmax(axis=1) == np.arange(120)).all()


def test_distances_alone_undo_the_mask_of_codes_if_the_pictures_are_those_stored():
    bits = (clustered(120, 48, 1) > 0.05).astype(np.uint8)
    packed = CodeMask(bytes(range(32)), 48).masked(np.packbits(bits, axis=1, bitorder="little"))
    stored = np.unpackbits(packed, axis=1, count=48, bitorder="little")
    shuffled = np.random.default_rng(2).permutation(120)
    mask = code_mask_by_distances(bits[shuffled], stored)
    assert (mask.masked(bits) == stored).all()


def test_statistics_of_other_pictures_find_axes_that_stand_out():
    own, vectors = clustered(4000, 6, 1), clustered(4000, 6, 2)
    stored = VectorMask(bytes(range(32)), 6).masked(vectors)
    turn = rotation_by_statistics(own, stored)
    cosines = ((vectors @ turn) * stored).sum(axis=1)
    assert cosines.mean() > 0.9


def test_of_vectors_that_are_alike_in_all_directions_nothing_follows():
    draw = np.random.default_rng(3)
    own, vectors = draw.standard_normal((2, 200, 32)).astype(np.float32)
    stored = VectorMask(bytes(range(32)), 32).masked(vectors)
    turn = rotation_by_statistics(own, stored)
    found = (vectors @ turn @ stored.T).argmax(axis=1) == np.arange(200)
    assert found.mean() < 0.1
