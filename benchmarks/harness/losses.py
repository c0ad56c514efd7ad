"""A guard against loss: fresh ratios beside the kept ones.

Rates differ from machine to machine and from hour to hour; ratios within one run much less. What
stays below three quarters of what was kept, in two runs one after the other, is a loss.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.kept import kept_at
from benchmarks.harness.places import RESULTS
from benchmarks.harness.ratios import AT_MOST, Ratios

GUARDED = ("load", "load-sizes", "load-batches", "load-tls", "load-observed")
CLEAR = 0.75


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """A ratio that is clearly worse than it was; `fresh` is None if it is not measured any more."""

    ratio: str
    kept: float
    fresh: float | None

    def __str__(self) -> str:
        """Return the ratio with both figures."""
        return f"{self.ratio}: kept {self.kept}, fresh {self.fresh}"


def losses(kept: Ratios, fresh: Ratios) -> list[Loss]:
    """Return what is clearly worse than it was kept, in the order kept."""
    return [
        Loss(ratio=name, kept=each["reached"], fresh=now)
        for name, each in kept.items()
        if (now := fresh.get(name, {}).get("reached")) is None
        or _share(each["reached"], now, smaller_is_better=AT_MOST in each) < CLEAR
    ]


def confirmed_losses(kept: Ratios, measure: Callable[[], Ratios]) -> list[Loss]:
    """Return the losses of a fresh run, and only those that a second run shows as well.

    The second run is spared if the first shows none.
    """
    suspected = losses(kept, measure())
    if not suspected:
        return []
    again = {each.ratio for each in losses(kept, measure())}
    return [each for each in suspected if each.ratio in again]


def guarded(results: Path = RESULTS) -> Iterator[tuple[str, Ratios]]:
    """Yield the benchmarks whose ratios are guarded and the ratios kept of their quick profile."""
    for name in GUARDED:
        document = kept_at(name, "quick", results)
        if document is not None:
            yield name, document["ratios"]


def _share(kept: float, fresh: float, *, smaller_is_better: bool) -> float:
    """Return how much of what was kept is still there, 1 for as much."""
    return kept / fresh if smaller_is_better else fresh / kept
