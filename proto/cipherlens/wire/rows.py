"""Vectors and codes: rows of little-endian float32, and of packed bits."""

from typing import Any

import numpy as np
import numpy.typing as npt

from cipherlens.base import code_bits, code_size_bytes
from cipherlens.v1.representation_pb2 import Codes, Vectors
from cipherlens.wire.errors import MalformedMessage


def vectors_message(rows: npt.NDArray[Any]) -> Vectors:
    """Return the message of (n, dimension) float32 vectors."""
    return Vectors(dimension=rows.shape[1], data=rows.astype("<f4", copy=False).tobytes())


def vectors_from(message: Vectors) -> npt.NDArray[np.float32]:
    """Return the vectors in a message, (n, dimension) float32, a view of its bytes, n >= 1.

    Raises:
        MalformedMessage: its bytes are no whole rows, or there are none.
    """
    if message.dimension < 1:
        raise MalformedMessage("dimension", "must be at least 1", message.dimension)
    size = 4 * message.dimension
    _check_rows(len(message.data), size)
    return np.frombuffer(message.data, "<f4").reshape(-1, message.dimension)


def codes_message(rows: npt.NDArray[Any]) -> Codes:
    """Return the message of (n, ceil(bits / 8)) uint8 codes; their width tells the bits."""
    return Codes(bits=code_bits(rows.shape[1]), data=rows.tobytes())


def codes_from(message: Codes) -> npt.NDArray[np.uint8]:
    """Return the codes in a message, (n, ceil(bits / 8)) uint8, a view of its bytes, n >= 1.

    Raises:
        MalformedMessage: its bytes are no whole rows, or there are none.
    """
    if message.bits < 1:
        raise MalformedMessage("bits", "must be at least 1", message.bits)
    size = code_size_bytes(message.bits)
    _check_rows(len(message.data), size)
    return np.frombuffer(message.data, np.uint8).reshape(-1, size)


def _check_rows(length: int, size: int) -> None:
    if not length or length % size:
        raise MalformedMessage(
            "data", f"must be one or more rows of {size} bytes", f"{length} bytes"
        )
