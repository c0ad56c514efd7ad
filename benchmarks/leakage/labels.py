"""What stored codes or vectors say of pictures: labels, from a few that are known.

The attacker holds the stored rows, and the labels of some of them; or rows of his own pictures,
made with the same encoder, and their labels.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

Rows = NDArray[np.float64]
Labels = NDArray[np.int64]


def by_neighbours(known: Rows, labels: Labels, rows: Rows, neighbours: int = 5) -> Labels:
    """Return the label that most of the nearest known rows have, nearer ones counting more."""
    near = min(neighbours, len(known))
    judge = KNeighborsClassifier(near, weights="distance").fit(known, labels)
    return np.asarray(judge.predict(rows))


def by_linear_probe(known: Rows, labels: Labels, rows: Rows) -> Labels:
    """Return the labels that a logistic regression on the known rows gives."""
    scale = known.std() or 1.0
    judge = LogisticRegression(C=1.0, max_iter=300).fit(known / scale, labels)
    return np.asarray(judge.predict(rows / scale))


def few_of_each(labels: Labels, count: int, draw: np.random.Generator) -> NDArray[np.bool_]:
    """Return which rows are labelled: so many of each class, half of it at most."""
    known = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = draw.permutation(np.flatnonzero(labels == label))
        known[members[: min(count, len(members) // 2)]] = True
    return known
