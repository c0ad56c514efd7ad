"""What requests carry: vectors and codes, checked and packed for the wire, and cipher-images."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from cipherlens.crypto import CipherImage
from cipherlens.v1.retrieval_service_pb2 import IndexRequest, SearchRequest
from cipherlens.wire import codes_message, vectors_message
from cipherlens.wire.owner import encrypted_message

Rows = npt.NDArray[np.float32] | npt.NDArray[np.uint8]
"""Vectors, (rows, dimension) float32, or codes, (rows, ceil(bits / 8)) uint8."""


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


def put_rows(request: IndexRequest | SearchRequest, rows: Rows) -> None:
    """Set vectors or codes as the content of a request."""
    if rows.dtype == np.uint8:
        request.codes.CopyFrom(codes_message(rows))
    else:
        request.vectors.CopyFrom(vectors_message(rows))


def put_images(request: IndexRequest | SearchRequest, images: Iterable[CipherImage]) -> None:
    """Set cipher-images as the content of a request."""
    request.cipher_images.images.extend(encrypted_message(image) for image in images)
