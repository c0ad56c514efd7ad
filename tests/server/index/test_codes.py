import numpy as np
import pytest

from cipherlens.base import BITS
from cipherlens.server.index.codes import padded_codes, stored_size_bytes


def test_stored_lengths_are_those_with_fast_kernels():
    stored = [stored_size_bytes(bits) for bits in BITS]
    assert stored == [4, 4, 4, 8, 8, 16, 32]


@pytest.mark.parametrize(("bits", "stored"), [(8, 4), (36, 8), (72, 16), (1000, 128)])
def test_other_lengths_are_padded_to_whole_words(bits, stored):
    assert stored_size_bytes(bits) == stored


def test_padding_adds_zeros_behind_each_code():
    rows = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    padded = padded_codes(rows, 4)
    assert padded.tolist() == [[1, 2, 3, 0], [4, 5, 6, 0]]
    assert padded_codes(padded, 4) is padded


def test_padding_makes_rows_contiguous():
    rows = np.zeros((3, 8), np.uint8)[:, ::2]
    assert padded_codes(rows, 4).flags.c_contiguous
