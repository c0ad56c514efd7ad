"""Ready vectors and codes, checked and packed for the wire."""

import numpy as np
import numpy.typing as npt

from cipherlens.client.errors import UnreadableAnswer
from cipherlens.v1.representation_pb2 import Codes, Vectors
from cipherlens.v1.retrieval_service_pb2 import IndexRequest, SearchRequest

Rows = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
"""Vectors, (rows, dimension) float32, or codes, (rows, ceil(bits / 8)) uint8."""

_BITS_OF_TWO_BYTES = 12  # of the lengths that the protocol knows, the one that is no whole byte


def vector_rows(vectors: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Return vectors as (rows, dimension) little-endian float32.

    Raises:
        ValueError: they are not a table of numbers, or one of them is not finite.
    """
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    if rows.ndim != 2:
        raise ValueError(f"vectors must be (rows, dimension), got shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("vectors must be finite, got NaN or infinity")
    return rows


def code_rows(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return codes as (rows, ceil(bits / 8)) uint8.

    Raises:
        ValueError: they are not a table.
        TypeError: they are not uint8.
    """
    rows = np.ascontiguousarray(codes)
    if rows.dtype != np.uint8:
        raise TypeError(f"codes must be packed into uint8, got {rows.dtype}")
    if rows.ndim != 2:
        raise ValueError(f"codes must be (rows, ceil(bits / 8)), got shape {rows.shape}")
    return rows


def pack_bits(bits: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return (rows, bits) of 0 and 1 as (rows, ceil(bits / 8)) uint8.

    Bit i is bit (i mod 8) of byte i / 8, counted from the least significant.
    """
    return np.packbits(np.asarray(bits, dtype=bool), axis=-1, bitorder="little")


def put_rows(request: IndexRequest | SearchRequest, rows: Rows) -> None:
    """Set vectors or codes as the content of a request; a code of two bytes has 12 bits."""
    data, length = rows.tobytes(), rows.shape[1]
    if rows.dtype != np.uint8:
        vectors = Vectors(dimension=length, data=data)
        request.vectors.CopyFrom(vectors)
        return
    bits = _BITS_OF_TWO_BYTES if length == 2 else 8 * length
    request.codes.CopyFrom(Codes(bits=bits, data=data))


def codes_from(message: Codes) -> npt.NDArray[np.uint8]:
    """Return the codes in a message, (rows, ceil(bits / 8)) uint8.

    Raises:
        UnreadableAnswer: its bytes are no whole rows.
    """
    width = -(-message.bits // 8)
    if width == 0 or len(message.data) % width:
        raise UnreadableAnswer(
            f"{len(message.data)} bytes are no rows of codes of {message.bits} bits"
        )
    return np.frombuffer(message.data, np.uint8).reshape(-1, width)
