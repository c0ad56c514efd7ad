"""The figures that tell how well a ranking retrieves."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Retrieval quality over `queries` images, each ranking the same number of others.

    `chance` is the mAP to expect of a random order, `precision_at` maps k to the mean share of
    the query's class among the first k, for each k that there are images enough for.
    `precision_at_recall` is the precision-recall curve: the mean interpolated precision at each of
    `metrics.RECALL_LEVELS`. `further` has the means of `measures.FURTHER` by name.
    """

    queries: int
    mean_average_precision: float
    chance: float
    precision_at: dict[int, float]
    precision_at_recall: tuple[float, ...]
    further: Mapping[str, float] = field(default_factory=dict)
