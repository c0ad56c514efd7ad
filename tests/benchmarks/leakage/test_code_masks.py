import numpy as np
import pytest

from benchmarks.leakage.code_masks import hamming, solve_bits
from cipherlens.crypto import CodeMask


def bits_and_masked(count, bits=48, seed=0):
    draw = np.random.default_rng(seed)
    codes = draw.integers(0, 2, (count, bits), dtype=np.uint8)
    packed = CodeMask(draw.bytes(32), bits).masked(np.packbits(codes, axis=1, bitorder="little"))
    return codes, np.unpackbits(packed, axis=1, count=bits, bitorder="little")


def test_pairs_undo_the_mask_of_the_client():
    """Of 40 random pairs two columns are alike or opposite with a chance of 48^2 / 2^40."""
    plain, masked = bits_and_masked(240)
    mask = solve_bits(plain[:40], masked[:40])
    assert (mask.masked(plain[40:]) == masked[40:]).all()


def test_without_pairs_that_say_anything_strangers_are_not_found():
    plain, masked = bits_and_masked(200)
    mask = solve_bits(plain[:1], masked[:1])
    found = hamming(mask.masked(plain[1:]), masked).argmin(axis=1) == np.arange(1, 200)
    assert found.mean() < 0.1


def test_some_wrong_pairs_are_borne():
    plain, masked = bits_and_masked(200)
    wrong = masked[:100].copy()
    wrong[:20] = wrong[:20][::-1]
    mask = solve_bits(plain[:100], wrong)
    assert (mask.masked(plain) == masked).all()


@pytest.mark.parametrize("bits", [12, 48])
def test_distances_are_those_of_plain_counting(bits):
    one, _ = bits_and_masked(5, bits)
    two, _ = bits_and_masked(7, bits, seed=1)
    assert (hamming(one, two) == (one[:, None] != two[None]).sum(axis=2)).all()
