"""How well vectors rank a database by cosine."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.evaluation.evaluate_distances import evaluate_distances
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.measures import FURTHER, Measure
from cipherlens.model.evaluation.rankings import Vectors

RANKS = (1, 5, 10, 20, 100)


def evaluate_vectors(
    query_vectors: Vectors,
    database_vectors: Vectors,
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    exclude_self: bool = False,
    ranks: Sequence[int] = RANKS,
    further: Sequence[Measure] = FURTHER,
) -> Evaluation:
    """Return how well the vectors rank the database for the queries that have anything to find.

    Vectors are (n, dim) float32 of unit length; ranks go from the largest inner product on, ties
    by position. With `exclude_self` query i is database image i and does not rank itself.

    Raises:
        DataError: if no query has a relevant image in the database.
        TypeError: if vectors are no float32 arrays.
        ValueError: if shapes do not fit each other, or `exclude_self` is asked for and the queries
            are not the database.
    """
    _check("query", query_vectors, query_labels)
    _check("database", database_vectors, database_labels)
    return evaluate_distances(
        lambda queries: -(query_vectors[queries] @ database_vectors.T),
        query_labels,
        database_labels,
        exclude_self=exclude_self,
        ranks=ranks,
        further=further,
    )


def _check(name: str, vectors: Vectors, labels: NDArray[np.integer]) -> None:
    """Raise unless vectors are float32 and every one has a label."""
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32:
        raise TypeError(f"{name}_vectors must be an array of float32")
    if vectors.ndim != 2 or labels.shape != (len(vectors),):
        raise ValueError(
            f"{name}_vectors and {name}_labels must have the shapes (n, dim) and (n,), "
            f"got {vectors.shape} and {labels.shape}"
        )
