"""A mask of codes or vectors without a single known pair: from distances, and from statistics.

Masks keep all distances. The attacker has the encoder, and

- the very pictures that are stored, or some of them among others, in no known order: an item's
  sorted distances to all others name it;
- or pictures of the same kind, none of them stored: the axes along which vectors vary most, and the
  side on which they have their long tail, are about the same.

Then pairs that look right are taken for pairs, the mask is solved from them, and from what it
brings together it is solved again.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from scipy.stats import skew

from benchmarks.leakage.code_masks import BitMask, Bits, hamming, solve_bits
from benchmarks.leakage.vector_masks import Rows, rotation_between

Distances = NDArray[np.float64]
Rotation = NDArray[np.float64]

_QUANTILES = 64
_TURNS = 8

_Mask = TypeVar("_Mask")


def matched_by_distances(own: Distances, stored: Distances) -> NDArray[np.intp]:
    """Return for each of the attacker's n items the stored one with distances most like its own.

    Args:
        own: (n, n) distances among the attacker's items.
        stored: (m, m), m at least n, among those that a server has.
    """
    profiles, kept = _profiles(own), _profiles(stored)
    return np.asarray(linear_sum_assignment(cdist(profiles, kept, "cityblock"))[1])


def code_mask_by_distances(own: Bits, stored: Bits) -> BitMask:
    """Return the mask that explains the stored bits best, beginning with matched distances."""
    start = matched_by_distances(hamming(own, own), hamming(stored, stored))
    return _refined(
        own,
        stored,
        start,
        solve_bits,
        lambda mask: np.asarray(linear_sum_assignment(hamming(mask.masked(own), stored))[1]),
    )


def rotation_by_distances(own: Rows, stored: Rows) -> Rotation:
    """Return the rotation that explains the stored vectors best, beginning with distances."""
    start = matched_by_distances(_squared(own, own), _squared(stored, stored))
    return _fitted_rotation(own, stored, start)


def rotation_by_statistics(own: Rows, stored: Rows) -> Rotation:
    """Return the rotation that lays the attacker's own pictures over those that are stored.

    Principal axes are laid upon principal axes, each turned so that its third moment is positive.
    Then each of the own vectors is laid upon its nearest stored one, again and again.
    """
    start = _axes(own) @ _axes(stored).T
    nearest = _squared(own @ start, stored).argmin(axis=1)
    return _fitted_rotation(own, stored, nearest)


def _fitted_rotation(own: Rows, stored: Rows, start: NDArray[np.intp]) -> Rotation:
    return _refined(
        own,
        stored,
        start,
        rotation_between,
        lambda rotation: _squared(own @ rotation, stored).argmin(axis=1),
    )


def _refined(
    own: NDArray[np.generic],
    stored: NDArray[np.generic],
    matched: NDArray[np.intp],
    solve: Callable[..., _Mask],
    match: Callable[[_Mask], NDArray[np.intp]],
) -> _Mask:
    """Return the mask after solving and matching in turns, until nothing moves."""
    mask = solve(own, stored[matched])
    for _ in range(_TURNS):
        again = match(mask)
        if (again == matched).all():
            break
        matched = again
        mask = solve(own, stored[matched])
    return mask


def _profiles(distances: Distances) -> NDArray[np.float64]:
    """Return quantiles of every item's distances: sets of different sizes can be compared."""
    return np.quantile(distances, np.linspace(0, 1, _QUANTILES), axis=1).T


def _squared(one: NDArray[np.floating], two: NDArray[np.floating]) -> Distances:
    """Return the squared Euclidean distances of rows."""
    lengths = np.square(one).sum(axis=1)[:, None] + np.square(two).sum(axis=1)
    return np.asarray(lengths - 2 * (one @ two.T), dtype=np.float64)


def _axes(rows: Rows) -> Rotation:
    """Return the principal axes as columns, those of most variance first."""
    centred = rows.astype(np.float64) - rows.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=True)
    signs = np.where(skew(centred @ axes.T) < 0, -1, 1)
    turned: Rotation = axes.T * signs
    return turned
