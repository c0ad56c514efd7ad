"""What is measured of every ranking. A further figure is one `Measure` in `FURTHER`, nothing else.

Cosines rank images one after another; Hamming distances put many at one distance, and their order
says nothing, so that a measure is then the mean over the orders of equal distances.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.evaluation.code_metrics import (
    TieGroups,
    expected_average_precision,
    expected_precision_at,
    interpolated_precision_by_distance,
)
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.metrics import hit_precision, interpolated_precision, precision_at


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranks:
    """Full rankings of some queries, each of which has something to find.

    `relevance`, (queries, n) bool, says whether the image at each rank is of the query's class, and
    `relevant`, (queries,), how many are.
    """

    relevance: NDArray[np.bool_]
    relevant: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.relevance)

    @cached_property
    def hits(self) -> NDArray[np.float64]:
        """The precision at the rank of each relevant image, as `hit_precision` returns it."""
        return hit_precision(self.relevance)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One figure of a query, however the database was ranked.

    Either function returns a value for each query, (queries,), or a curve for each,
    (queries, points).
    """

    name: str
    of_ranks: Callable[[Ranks], NDArray[np.float64]]
    of_ties: Callable[[TieGroups], NDArray[np.float64]]


AVERAGE_PRECISION = Measure(
    name="average precision",
    of_ranks=lambda ranks: ranks.hits.sum(axis=1) / ranks.relevant,
    of_ties=expected_average_precision,
)
PRECISION_AT_RECALL = Measure(
    name="precision at recall",
    of_ranks=lambda ranks: interpolated_precision(ranks.hits, ranks.relevant),
    of_ties=interpolated_precision_by_distance,
)
FURTHER: tuple[Measure, ...] = ()
"""Measures whose means an `Evaluation` has by name, beside the figures that are its fields."""


def precision_measure(k: int) -> Measure:
    """Return the share of relevant images among the first k."""
    return Measure(
        name=f"precision at {k}",
        of_ranks=lambda ranks: precision_at(ranks.relevance, k),
        of_ties=partial(expected_precision_at, k=k),
    )


class Means:
    """The means of all measures over queries that are judged a part at a time."""

    def __init__(self, ranks: Sequence[int], further: Sequence[Measure] = FURTHER) -> None:
        """Take the k of the precisions at k and what else is measured."""
        self._precisions = {k: precision_measure(k) for k in ranks}
        self._further = further
        self._queries = 0
        measures = [AVERAGE_PRECISION, PRECISION_AT_RECALL, *self._precisions.values(), *further]
        self._sums: dict[Measure, NDArray[np.float64]] = dict.fromkeys(measures, np.zeros(()))

    def add(self, judged: Ranks | TieGroups) -> None:
        """Add queries, each of which has something to find."""
        self._queries += len(judged)
        for measure in self._sums:
            if isinstance(judged, Ranks):
                values = measure.of_ranks(judged)
            else:
                values = measure.of_ties(judged)
            self._sums[measure] = self._sums[measure] + values.sum(axis=0)

    def evaluation(self, chance: float) -> Evaluation:
        """Return the means over at least one query, beside the mAP of a random order."""
        return Evaluation(
            queries=self._queries,
            mean_average_precision=float(self._mean(AVERAGE_PRECISION)),
            chance=chance,
            precision_at={k: float(self._mean(each)) for k, each in self._precisions.items()},
            precision_at_recall=tuple(self._mean(PRECISION_AT_RECALL).tolist()),
            further={each.name: float(self._mean(each)) for each in self._further},
        )

    def _mean(self, measure: Measure) -> NDArray[np.float64]:
        return self._sums[measure] / self._queries
