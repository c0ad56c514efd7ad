import numpy as np
import pytest

from cipherlens.client.core.content import code_rows, put_rows, vector_rows
from cipherlens.v1.retrieval_service_pb2 import IndexRequest, SearchRequest


def test_vectors_become_little_endian_float32() -> None:
    request = SearchRequest()
    put_rows(request, vector_rows([[1.0, -2.0], [0.5, 3.0]]))
    assert request.vectors.dimension == 2
    assert request.vectors.data == np.array([1, -2, 0.5, 3], "<f4").tobytes()


@pytest.mark.parametrize(
    ("size", "bits"), [(2, 12), (3, 24), (4, 32), (6, 48), (8, 64), (16, 128), (32, 256)]
)
def test_the_bytes_of_a_code_tell_its_bits(size: int, bits: int) -> None:
    request = IndexRequest()
    put_rows(request, np.zeros((3, size), np.uint8))
    assert request.codes.bits == bits
    assert len(request.codes.data) == 3 * size


@pytest.mark.parametrize(
    ("vectors", "sentence"),
    [
        ([1.0, 2.0], r"\(rows, dimension\), got shape \(2,\)"),
        ([[1.0, float("nan")]], "finite"),
        ([[1.0, float("inf")]], "finite"),
    ],
)
def test_vectors_that_are_no_vectors(vectors: list[object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        vector_rows(vectors)


def test_codes_that_are_no_codes() -> None:
    with pytest.raises(ValueError, match="got shape"):
        code_rows(np.zeros(6, np.uint8))
    with pytest.raises(TypeError, match="uint8, got int64"):
        code_rows(np.zeros((2, 6), np.int64))
