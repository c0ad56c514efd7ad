"""Masks: distances stay, all else changes, and each collection has its own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.base import BITS, code_size_bytes
from cipherlens.crypto import CodeMask, VectorMask, mask_id
from cipherlens.crypto.masks import hadamard_transform

KEY, OTHER = bytes(range(32)), bytes(32)
COSINE_TOLERANCE = 1e-6


def codes_of(bits, count, seed=0):
    drawn = np.random.default_rng(seed).integers(0, 2, (count, bits), dtype=np.uint8)
    return np.packbits(drawn, axis=1, bitorder="little")


def unit(count, dimension, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def distances(codes):
    return np.bitwise_count(codes[:, None] ^ codes[None]).sum(axis=2)


def test_masks_agree_with_their_vectors(vectors, reference, make_entry):
    case = vectors("masks.json")
    again = reference.masks_case()
    assert again["codes"] == case["codes"]
    key = bytes.fromhex(case["mask_key"])
    for each in case["codes"]:
        plain = np.frombuffer(bytes.fromhex(each["plain"]), np.uint8)[None]
        assert CodeMask(key, each["bits"]).masked(plain).tobytes().hex() == each["masked"]
    for each, computed in zip(case["vectors"], again["vectors"], strict=True):
        assert computed == each
        masked = VectorMask(key, len(each["plain"])).masked(np.array([each["plain"]]))
        assert np.allclose(masked[0], each["masked"], atol=1e-5)
    assert mask_id(make_entry().fingerprint) == case["mask_id"]


@pytest.mark.parametrize("bits", BITS)
def test_every_distance_of_codes_stays_exactly_what_it_was(bits):
    codes = codes_of(bits, 60)
    mask = CodeMask(KEY, bits)
    masked = mask.masked(codes)
    assert masked.shape == (60, code_size_bytes(bits))
    assert np.array_equal(distances(masked), distances(codes))
    assert not np.array_equal(masked, codes)
    assert np.array_equal(mask.unmasked(masked), codes)


def test_unused_bits_stay_zero():
    masked = CodeMask(KEY, 12).masked(codes_of(12, 500))
    assert not (masked[:, 1] >> 4).any()


@pytest.mark.parametrize("dimension", [1, 2, 3, 5, 31, 32, 33, 96, 127, 128, 384, 768, 1000, 1024])
def test_every_cosine_of_vectors_stays_within_the_tolerance(dimension):
    rows = unit(40, dimension)
    mask = VectorMask(KEY, dimension)
    masked = mask.masked(rows)
    assert masked.dtype == np.float32
    before, after = (each.astype(np.float64) @ each.astype(np.float64).T for each in (rows, masked))
    assert np.abs(after - before).max() < COSINE_TOLERANCE
    assert np.abs(mask.unmasked(masked) - rows).max() < COSINE_TOLERANCE


@pytest.mark.parametrize("dimension", [2, 7, 100, 768])
def test_the_map_is_orthogonal(dimension):
    """Its matrix, made of the images of the axes, times its transpose is the identity."""
    matrix = VectorMask(KEY, dimension).masked(np.eye(dimension)).astype(np.float64)
    assert np.abs(matrix @ matrix.T - np.eye(dimension)).max() < COSINE_TOLERANCE


@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 1000), dimension=st.integers(1, 70))
def test_lengths_and_sums_stay(scale, seed, dimension):
    first, second = scale * unit(2, dimension, seed).astype(np.float64)
    mask = VectorMask(KEY, dimension)
    turned = mask.masked(np.stack([first, second, first + second])).astype(np.float64)
    assert np.allclose(turned[0] + turned[1], turned[2], atol=1e-5 * scale)
    assert np.allclose(np.linalg.norm(turned[0]), scale, rtol=1e-5)


def test_the_hadamard_transform_is_that_of_its_matrix():
    for exponent in range(12):
        rows = np.random.default_rng(exponent).normal(size=(3, 2**exponent))
        signs = np.array(
            [[(i & j).bit_count() % 2 for j in range(2**exponent)] for i in range(2**exponent)]
        )
        expected = rows @ ((-1.0) ** signs) / np.sqrt(2**exponent)
        assert np.allclose(hadamard_transform(rows), expected)


def test_numbers_are_spread_over_all_others():
    """No number of a masked vector leans on one of the plain one: all weights are small."""
    weights = VectorMask(KEY, 768).masked(np.eye(768))
    assert np.abs(weights).max() < 0.35
    assert np.isclose((weights.astype(np.float64) ** 2).mean(), 1 / 768)


def test_every_key_has_masks_of_its_own():
    codes, rows = codes_of(48, 200), unit(50, 768)
    ours, theirs = CodeMask(KEY, 48).masked(codes), CodeMask(OTHER, 48).masked(codes)
    agreeing = 48 - np.bitwise_count(ours ^ theirs).sum(axis=1).mean()
    assert 18 < agreeing < 30  # as of codes that have nothing to do with each other
    cosines = (VectorMask(KEY, 768).masked(rows) * VectorMask(OTHER, 768).masked(rows)).sum(axis=1)
    assert np.abs(cosines).max() < 0.2


def test_codes_of_another_length_have_another_mask():
    assert CodeMask(KEY, 12)._order.tolist() != CodeMask(KEY, 24)._order[:12].tolist()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_key_of_another_length_is_refused(size):
    for make in (lambda: CodeMask(bytes(size), 48), lambda: VectorMask(bytes(size), 4)):
        with pytest.raises(ValueError, match=f"mask_key must be 32 bytes, got {size}"):
            make()


def test_what_a_mask_is_not_for_is_refused():
    with pytest.raises(ValueError, match="bits must be one of"):
        CodeMask(KEY, 13)
    with pytest.raises(ValueError, match="dimension must be at least 1, got 0"):
        VectorMask(KEY, 0)
    mask = CodeMask(KEY, 48)
    for wrong in (codes_of(24, 3), codes_of(48, 3)[0], codes_of(48, 3).astype(np.int64)):
        for use in (mask.masked, mask.unmasked):
            with pytest.raises(ValueError, match=r"codes must be \(n, 6\) uint8 for 48 bits"):
                use(wrong)
    with pytest.raises(ValueError, match=r"vectors must be \(n, 5\), got \(2, 4\)"):
        VectorMask(KEY, 5).masked(unit(2, 4))
