"""The order of a key's blocks, from the position embeddings of a network trained under it.

The attacker holds the network, as a server does that embeds cipher-images of one key: no picture
and no cipher-image. Blocks that are neighbours in the pictures are alike, so that the embeddings of
the places they came to may be alike too.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.optimize import quadratic_assignment

Likeness = NDArray[np.float64]
"""(n, n): larger is more alike."""

Grid = NDArray[np.intp]


def embeddings_of(checkpoint: Path, blocks: int) -> NDArray[np.float32]:
    """Return the position embeddings of a checkpoint, one for each block: (blocks, dim)."""
    tensors = load_file(checkpoint)
    name = next(each for each in tensors if each.endswith("pos_embed"))
    found: NDArray[np.float32] = tensors[name].reshape(-1, tensors[name].shape[-1])
    return found[-blocks:]  # the class token, where it has one, stands first


def likeness(embeddings: NDArray[np.floating]) -> Likeness:
    """Return the cosines of embeddings after their mean is taken off."""
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0)
    unit = centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12)
    cosines: Likeness = unit @ unit.T
    return cosines


def layout(alike: Likeness, rows: int, columns: int, tries: int = 10) -> Grid:
    """Return which block stands where, so that like ones are neighbours; it may be mirrored.

    The best of several tries of a fast approximate quadratic assignment (Vogelstein et al. 2015).
    """
    near = adjacency(rows, columns).astype(np.float64)
    found = [
        quadratic_assignment(
            near,
            alike,
            options={"maximize": True, "P0": "randomized", "rng": np.random.default_rng(number)},
        )
        for number in range(tries)
    ]
    best = max(found, key=lambda each: float(each.fun))
    return np.asarray(best.col_ind, dtype=np.intp).reshape(rows, columns)


def adjacency(rows: int, columns: int) -> NDArray[np.bool_]:
    """Return which places of a grid have a side in common, (n, n)."""
    row, column = np.divmod(np.arange(rows * columns), columns)
    steps = np.abs(row[:, None] - row) + np.abs(column[:, None] - column)
    return np.asarray(steps == 1)


def neighbours_read(alike: Likeness, truth: NDArray[np.bool_]) -> float:
    """Return the share of true neighbours among the most alike, as many for each as it has."""
    scores = alike.copy()
    np.fill_diagonal(scores, -np.inf)
    ranks = (-scores).argsort(axis=1).argsort(axis=1)
    wanted = truth.sum(axis=1)[:, None]
    return float((truth & (ranks < wanted)).sum() / truth.sum())


def neighbours_laid(grid: Grid, truth: NDArray[np.bool_]) -> float:
    """Return the share of a layout's neighbours that are neighbours, whichever way it is turned."""
    right = truth[grid[:, :-1], grid[:, 1:]]
    below = truth[grid[:-1], grid[1:]]
    return float((right.sum() + below.sum()) / (right.size + below.size))
