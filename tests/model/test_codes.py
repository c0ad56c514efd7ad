import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cipherlens.base import check_codes
from cipherlens.model.codes import binarise

activation = st.floats(0, 1, width=32)


@given(
    hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=activation
    )
)
def test_bit_i_is_bit_i_mod_8_of_byte_i_over_8(activations: np.ndarray) -> None:
    codes = binarise(activations)
    rows, bits = activations.shape
    assert codes.shape == (rows, -(-bits // 8))
    for row in range(rows):
        for bit in range(8 * codes.shape[1]):
            expected = bit < bits and activations[row, bit] >= 0.5
            assert bool(codes[row, bit // 8] >> bit % 8 & 1) == expected
    check_codes(codes, bits)


def test_known_codes() -> None:
    activations = np.zeros((2, 12), dtype=np.float32)
    activations[0, [0, 9]] = 1
    activations[1, [7, 8, 11]] = 0.5  # the threshold itself counts
    assert binarise(activations).tolist() == [[0b00000001, 0b0010], [0b10000000, 0b1001]]
    assert binarise(activations, threshold=0.6).tolist() == [[1, 2], [0, 0]]
    assert binarise(np.zeros((0, 12))).shape == (0, 2)


def test_activations_that_make_no_code() -> None:
    with pytest.raises(ValueError, match=r"shape \(n, bits\), got \(3,\)"):
        binarise(np.zeros(3))
    with pytest.raises(ValueError, match="NaN"):
        binarise(np.array([[0.2, np.nan]]))
