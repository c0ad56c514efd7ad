"""What a trial of an attack gives back, and how often and on what it is run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from statistics import fmean
from typing import Any, TypeAlias

from benchmarks.methods.cases import Case
from cipherlens.crypto import Scope
from cipherlens.model.data.images import PreparedImages

Pictures: TypeAlias = Mapping[str, PreparedImages]
"""Sets of pictures by name, all of one shape within a set."""

Rows: TypeAlias = dict[str, dict[str, Any]]

REACHED, WITHOUT = "reached", "without the attack"
"""Columns of what stands first: chance, or what is seen without doing anything."""

SCOPES = {Scope.COLLECTION: "one key", Scope.IMAGE: "fresh keys"}
"""How the tables call the scopes: every picture of scope image has sequences of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """Figures of one attack, JSON-able.

    Attributes:
        headline: what stands first in the report, a few rows.
        tables: {title: rows}.
        rounds: the figures of each single run, which the tables are means of.
        seeds: what was drawn, and how often.
        plots: see `benchmarks.report.plots`.
    """

    headline: Rows
    tables: dict[str, Rows]
    rounds: list[dict[str, Any]]
    seeds: str
    plots: dict[str, Any] = field(default_factory=dict)


def titled(case: Case) -> str:
    """Return how the tables call a case: with its scope, and all blocks by that word."""
    share = "all" if case.share == 1 else case.share
    return f"P={case.block_size}, M={share}, {SCOPES[case.scope]}"


def quarters(*numbers: int) -> list[Fraction]:
    """Return so many quarters of the blocks."""
    return [Fraction(number, 4) for number in numbers]


def spread(values: Sequence[float]) -> str:
    """Return the mean of several runs, and the lowest and highest of them."""
    mean, lowest, highest = (short(each) for each in (fmean(values), min(values), max(values)))
    return mean if lowest == highest else f"{mean} ({lowest} to {highest})"


def short(value: float) -> str:
    """Return a number with three significant digits at most."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
