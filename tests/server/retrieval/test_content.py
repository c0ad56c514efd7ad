import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cipherlens.server.errors import InvalidField
from cipherlens.server.retrieval.content import unit_rows

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
ROWS = arrays.arrays(np.float32, arrays.array_shapes(min_dims=2, max_dims=2), elements=FINITE)


@given(ROWS)
def test_every_vector_but_zero_has_unit_length_and_keeps_its_direction(rows):
    if not rows.any(axis=1).all():
        with pytest.raises(InvalidField, match="no direction"):
            unit_rows(rows)
        return
    found = unit_rows(rows).astype(np.float64)
    lengths = np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found * lengths, rows, rtol=1e-6, atol=1e-6 * lengths.max())


@given(ROWS, st.data())
def test_a_value_that_is_no_number_is_named_by_its_row(rows, data):
    row = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, rows.shape[1] - 1))
    rows[row, column] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises(InvalidField, match=rf"vectors\.data\[{row}\]: holds a value"):
        unit_rows(rows)


@pytest.mark.parametrize("value", [1e-45, 1e-30, 3.4e38])
def test_lengths_at_the_ends_of_float32(value):
    rows = np.full((1, 8192), value, np.float32)
    np.testing.assert_allclose(unit_rows(rows), 8192**-0.5, rtol=1e-6)
