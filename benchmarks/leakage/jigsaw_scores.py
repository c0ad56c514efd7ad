"""How much of a solved jigsaw is right: in place, beside the right neighbour, in one piece.

Blocks of the same content may stand for each other.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Contents = NDArray[np.intp]
"""(rows, columns): a number for what is at each place, equal for equal blocks."""


def in_place(solved: Contents, truth: Contents) -> float:
    """Return the share of places with the right content (direct comparison)."""
    return float((solved == truth).mean())


def beside(solved: Contents, truth: Contents) -> float:
    """Return the share of neighbours that are neighbours in the picture (neighbour comparison)."""
    right, below = _joined(solved, truth)
    return float((right.sum() + below.sum()) / (right.size + below.size))


def largest_piece(solved: Contents, truth: Contents) -> float:
    """Return the share of blocks in the largest piece whose neighbours are all the right ones."""
    right, below = _joined(solved, truth)
    numbers = np.arange(solved.size).reshape(solved.shape)
    first = np.concatenate([numbers[:, :-1][right], numbers[:-1][below]])
    second = np.concatenate([numbers[:, 1:][right], numbers[1:][below]])
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(solved.size, solved.size))
    _, pieces = connected_components(graph, directed=False)
    return float(np.bincount(pieces).max() / solved.size)


def _joined(solved: Contents, truth: Contents) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which pairs, side by side and one below the other, stand so in the picture too."""
    base = int(max(solved.max(), truth.max())) + 1
    right, below = (
        np.isin(one * base + two, known_one * base + known_two)
        for one, two, known_one, known_two in (
            (solved[:, :-1], solved[:, 1:], truth[:, :-1], truth[:, 1:]),
            (solved[:-1], solved[1:], truth[:-1], truth[1:]),
        )
    )
    return right, below
