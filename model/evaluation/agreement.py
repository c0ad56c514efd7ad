"""Rankings of a server beside those computed in memory: the figures of both, and their differences.

A feature vector depends a little on batch and precision, so cosine rankings are compared by mAP; a
Hamming distance is one number everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.evaluation.evaluate_rankings import RankingEvaluation, evaluate_rankings
from cipherlens.model.evaluation.rankings import Rankings

MAP_TOLERANCE = 0.002
LEAST_OWN_COSINE = 0.9999


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """The figures of a server's rankings and of those in memory.

    `largest_score_difference` is the largest difference of the scores at one rank of one query.
    `lowest_own_cosine` is the lowest that a query got from the server for its own stored vector,
    None for codes and where none found itself.
    """

    served: RankingEvaluation
    memory: RankingEvaluation
    largest_score_difference: float
    lowest_own_cosine: float | None
    hamming: bool

    def differences(self) -> list[str]:
        """Return a phrase for each figure that differs by more than it may."""
        pairs = [(self.served.mean_average_precision, self.memory.mean_average_precision)]
        memory_at = self.memory.average_precision_at
        pairs += [(self.served.average_precision_at[k], memory_at[k]) for k in memory_at]
        found = [
            f"mAP {served:.4f} is not {memory:.4f}"
            for served, memory in pairs
            if served is not None and memory is not None and abs(served - memory) >= MAP_TOLERANCE
        ]
        if self.hamming and self.largest_score_difference:
            found.append(f"distances differ by up to {self.largest_score_difference:.0f} bits")
        if self.lowest_own_cosine is not None and self.lowest_own_cosine < LEAST_OWN_COSINE:
            found.append(f"cosine {self.lowest_own_cosine:.6f} of a query and its stored vector")
        return found


def compare_rankings(
    served: Rankings,
    memory: Rankings,
    query_labels: NDArray[np.integer],
    database_labels: NDArray[np.integer],
    *,
    exclude_self: bool,
    ranks: Sequence[int],
) -> Agreement:
    """Return how two rankings of the same queries, equally deep, compare.

    The arguments are those of `evaluate_rankings`; scores are compared rank by rank, where those
    of images that changed places stand too.

    Raises:
        DataError: if no query has a relevant image in the database.
        ValueError: if the rankings are not of the same shape.
    """
    if served.scores.shape != memory.scores.shape:
        raise ValueError(
            f"rankings must have one shape, got {served.scores.shape} and {memory.scores.shape}"
        )
    figures = [
        evaluate_rankings(
            each, query_labels, database_labels, exclude_self=exclude_self, ranks=ranks
        )
        for each in (served, memory)
    ]
    hamming = np.issubdtype(memory.scores.dtype, np.integer)
    own = served.own_scores() if exclude_self and not hamming else np.empty(0)
    difference = np.abs(served.scores.astype(np.float64) - memory.scores)
    return Agreement(
        served=figures[0],
        memory=figures[1],
        largest_score_difference=float(difference.max()),
        lowest_own_cosine=float(own.min()) if len(own) else None,
        hamming=bool(hamming),
    )
