import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.base import BITS, check_bits, check_codes, code_bits, code_size_bytes, pack_bits


def test_the_lengths_of_code_and_their_bytes():
    assert [code_size_bytes(bits) for bits in BITS] == [2, 3, 4, 6, 8, 16, 32]
    assert [code_bits(code_size_bytes(bits)) for bits in BITS] == list(BITS)


@pytest.mark.parametrize("bits", [-12, 0, 4, 10, 13, 36, 1028])
def test_other_numbers_of_bits_are_refused(bits):
    with pytest.raises(ValueError, match=f"got {bits}"):
        check_bits(bits)


@given(st.lists(st.booleans(), min_size=1, max_size=70))
def test_bit_i_is_bit_i_mod_8_of_byte_i_div_8(bits: list[bool]) -> None:
    (packed,) = pack_bits([bits])
    assert len(packed) == (len(bits) + 7) // 8
    for number, bit in enumerate(bits):
        assert (int(packed[number // 8]) >> (number % 8)) & 1 == bit
    unused = 8 * len(packed) - len(bits)
    assert int(packed[-1]) >> (8 - unused) == 0 if unused else True


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


def test_codes_that_are_none() -> None:
    with pytest.raises(TypeError, match="queries must be an array of uint8"):
        check_codes(np.zeros((1, 2)), 12, "queries")
    for shape in ((1, 3), (2,), (1, 1)):
        with pytest.raises(ValueError, match=r"queries of 12 bits must have the shape \(n, 2\)"):
            check_codes(np.zeros(shape, dtype=np.uint8), 12, "queries")
    with pytest.raises(ValueError, match="queries: code 1 has bits set beyond its 12 bits"):
        check_codes(np.array([[0, 0], [0, 16]], dtype=np.uint8), 12, "queries")
    check_codes(np.full((1, 2), 255, dtype=np.uint8), 16, "queries")
