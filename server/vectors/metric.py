"""How the rows of a kind are compared in this process, where the engine does not have them yet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import Kind, check_codes, code_size_bytes
from cipherlens.server.index.among import Pick
from cipherlens.server.index.codes import padded_codes, stored_size_bytes
from cipherlens.server.index.flat import pick_cosine, pick_hamming


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """Rows of one kind and length.

    name: "cosine" or "hamming".
    row_type: of the numbers in a row.
    width: numbers in a row as it comes.
    padded_width: numbers in a row as `padded` makes it, for `pick`.
    score_type: of what `pick` returns.
    check: raises TypeError or ValueError for rows of another type or shape.
    """

    name: str
    row_type: "np.dtype[Any]"
    width: int
    padded_width: int
    score_type: "type[np.generic]"
    check: Callable[[NDArray[Any]], None]
    padded: Callable[[NDArray[Any]], NDArray[Any]]
    pick: Pick


def metric_of(kind: Kind, length: int) -> Metric:
    """Return how rows of so many numbers, or bits, are compared."""
    return _hamming(length) if kind is Kind.CODE else _cosine(length)


def _cosine(dimension: int) -> Metric:
    def check(rows: NDArray[Any]) -> None:
        if rows.dtype != np.float32:
            raise TypeError(f"vectors must be float32, got {rows.dtype}")
        if rows.ndim != 2 or rows.shape[1] != dimension:
            raise ValueError(f"vectors must have shape (n, {dimension}), got {rows.shape}")

    return Metric(
        name="cosine",
        row_type=np.dtype("<f4"),
        width=dimension,
        padded_width=dimension,
        score_type=np.float32,
        check=check,
        padded=np.ascontiguousarray,
        pick=pick_cosine,
    )


def _hamming(bits: int) -> Metric:
    size = stored_size_bytes(bits)
    return Metric(
        name="hamming",
        row_type=np.dtype(np.uint8),
        width=code_size_bytes(bits),
        padded_width=size,
        score_type=np.int32,
        check=lambda rows: check_codes(rows, bits),
        padded=lambda rows: padded_codes(rows, size),
        pick=pick_hamming,
    )
