import numpy as np
import pytest

from cipherlens.server.index.codes import (
    check_bits,
    check_codes,
    code_size_bytes,
    padded_codes,
    stored_size_bytes,
)


@pytest.mark.parametrize(
    ("bits", "wire", "stored"),
    [
        (8, 1, 4),
        (12, 2, 4),
        (24, 3, 4),
        (32, 4, 4),
        (36, 5, 8),
        (48, 6, 8),
        (64, 8, 8),
        (72, 9, 16),
        (128, 16, 16),
        (256, 32, 32),
        (1000, 125, 128),
    ],
)
def test_lengths(bits, wire, stored):
    check_bits(bits)
    assert code_size_bytes(bits) == wire
    assert stored_size_bytes(bits) == stored


@pytest.mark.parametrize("bits", [-12, 0, 4, 10, 13, 1028])
def test_other_numbers_of_bits_are_refused(bits):
    with pytest.raises(ValueError, match=f"got {bits}"):
        check_bits(bits)


def test_a_bit_beyond_the_last_is_refused_with_its_row():
    rows = np.zeros((5, 2), np.uint8)
    rows[:, 1] = 0x0F
    check_codes(rows, 12)
    rows[3, 1] = 0x10
    with pytest.raises(ValueError, match="code 3 has bits set beyond its 12 bits"):
        check_codes(rows, 12)


def test_whole_bytes_have_no_unused_bits():
    check_codes(np.full((2, 3), 0xFF, np.uint8), 24)


@pytest.mark.parametrize("shape", [(2,), (2, 1), (2, 3), (1, 2, 2)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        check_codes(np.zeros(shape, np.uint8), 12)


def test_another_type_is_refused():
    with pytest.raises(TypeError, match="uint8"):
        check_codes(np.zeros((1, 2), np.int8), 12)


def test_padding_adds_zeros_behind_each_code():
    rows = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    padded = padded_codes(rows, 4)
    assert padded.tolist() == [[1, 2, 3, 0], [4, 5, 6, 0]]
    assert padded_codes(padded, 4) is padded


def test_padding_makes_rows_contiguous():
    rows = np.zeros((3, 8), np.uint8)[:, ::2]
    assert padded_codes(rows, 4).flags.c_contiguous
