"""Which cipher-images are of one picture: votes of blocks that they have in common.

The attacker holds cipher-images and nothing else. A block counts the more, the fewer pictures have
it. Blocks are the same by their bytes, as untouched ones are, or by which of their pixels are
equal, which no table changes. Under one key pictures can be laid over each other besides.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from benchmarks.leakage.blocks import Marks, Pixels

Scores = NDArray[np.float64]
"""(queries, stored): larger is more alike."""


def votes(queries: Marks, stored: Marks) -> Scores:
    """Return the votes that pictures of (n, blknum) marks have for each stored one of (m, blknum).

    Each mark in common has log(m / stored pictures with it); the sum is over the norm of the stored
    picture, so that one of many rare blocks does not win by them alone.
    """
    names = np.unique(stored)
    kept, asked = _bags(stored, names), _bags(queries, names)
    frequency = kept.sum(axis=0)
    weights = np.log((len(stored) + 1) / np.maximum(frequency, 1))
    weighted = kept.multiply(weights).tocsr()
    norms = np.sqrt(weighted.multiply(weighted).sum(axis=1))
    sums = (asked.multiply(weights).tocsr() @ weighted.T).toarray()
    scores: Scores = sums / np.maximum(norms, 1e-9)
    return scores


def laid_over(queries: Pixels, stored: Pixels) -> Scores:
    """Return the negative mean squared difference of pixels at the same places."""
    one, two = (each.reshape(len(each), -1).astype(np.float32) for each in (queries, stored))
    squares = (one**2).sum(axis=1)[:, None] + (two**2).sum(axis=1) - 2 * (one @ two.T)
    scores: Scores = -(squares / one.shape[1]).astype(np.float64)
    return scores


def first(scores: Scores, truth: NDArray[np.intp]) -> float:
    """Return the share of queries whose true picture is alone at the top."""
    own = scores[np.arange(len(truth)), truth]
    return float(((scores >= own[:, None]).sum(axis=1) == 1).mean())


def without_error(scores: Scores, truth: NDArray[np.intp]) -> float:
    """Return the share of queries whose true picture has more than any wrong pair of all queries.

    One threshold then tells "the same picture" for so many, and never wrongly.
    """
    rows = np.arange(len(truth))
    wrong = scores.copy()
    wrong[rows, truth] = -np.inf
    return float((scores[rows, truth] > wrong.max()).mean())


def _bags(marks: Marks, names: Marks) -> csr_array:
    """Return which of the named marks each picture has, (n, names) of 0 and 1."""
    places = np.searchsorted(names, marks).clip(max=len(names) - 1)
    known = names[places] == marks
    rows = np.broadcast_to(np.arange(len(marks))[:, None], marks.shape)
    pairs = np.unique(np.stack([rows[known], places[known]]), axis=1)
    shape = (len(marks), len(names))
    return csr_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1])), shape=shape)
