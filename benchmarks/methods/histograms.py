"""Histograms of pictures, and the distance that nearly all schemes compare them by."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.encrypted_jpeg import Coefficients
from cipherlens.server.index.untyped import faiss

_DC_STEP = 16


def shares(codes: NDArray[np.integer], kinds: int) -> NDArray[np.float32]:
    """Return the share of each of `kinds` codes along the last axis, (..., kinds)."""
    rows = codes.reshape(-1, codes.shape[-1]).astype(np.int64)
    offsets = np.arange(len(rows))[:, None] * kinds
    counts = np.bincount((rows + offsets).ravel(), minlength=len(rows) * kinds)
    found: NDArray[np.float32] = (counts / rows.shape[1]).astype(np.float32)
    return found.reshape(*codes.shape[:-1], kinds)


def by_frequency(held: Coefficients, limit: int) -> NDArray[np.float32]:
    """Return the histogram of each component's coefficients at each frequency, (n, bins) in all.

    Values beyond `limit` count as it; DC coefficients are counted in sixteenths.
    """
    values = held.astype(np.int64)
    values[..., 0] //= _DC_STEP
    binned = np.clip(values, -limit, limit) + limit
    return shares(np.swapaxes(binned, -1, -2), 2 * limit + 1).reshape(len(held), -1)


def scaled(counts: NDArray[Any]) -> NDArray[np.float32]:
    """Return counts as shares of their sums along the last axis; of none, zeros."""
    sums = counts.sum(axis=-1, keepdims=True)
    found: NDArray[np.float32] = (counts / np.maximum(sums, 1)).astype(np.float32)
    return found


def manhattan(queries: NDArray[np.float32], database: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sums of absolute differences, (queries, database) float32."""
    found: NDArray[np.float32] = faiss.pairwise_distances(
        np.ascontiguousarray(queries), np.ascontiguousarray(database), metric=faiss.METRIC_L1
    )
    return found
