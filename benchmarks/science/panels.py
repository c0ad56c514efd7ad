"""Panels of plots in which a line is a mean over keys, seeds or settings, with its spread."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.methods.cases import Case
from benchmarks.methods.figures import Figures
from cipherlens.model.evaluation.metrics import RECALL_LEVELS

EVERY = 5
"""Of the levels of recall one in so many is drawn."""

Rounds = Mapping[float, Sequence[float]]
"""By x, what each key, seed or setting found there."""


def spread_panel(title: str, x: str, y: str, lines: Mapping[str, Rounds]) -> dict[str, Any]:
    """Return a panel with the mean of each line's rounds, and from the lowest to the highest."""
    return {
        "title": title,
        "x": x,
        "y": y,
        "lines": {
            name: [list(rounds), [_short(fmean(found)) for found in rounds.values()]]
            for name, rounds in lines.items()
        },
        "spread": {
            name: [[_short(side(found)) for found in rounds.values()] for side in (min, max)]
            for name, rounds in lines.items()
            if max(map(len, rounds.values()), default=0) > 1
        },
    }


def share_panel(title: str, scores: Mapping[str, Mapping[Case, Sequence[float]]]) -> dict[str, Any]:
    """Return a panel of mAP over M, a line for each name and block size.

    A case has a score of each seed or setting: the line is their mean.
    """
    lines: dict[str, dict[float, Sequence[float]]] = {}
    for name, row in scores.items():
        for case, found in row.items():
            lines.setdefault(f"{name} P={case.block_size}".strip(), {})[float(case.share)] = found
    return spread_panel(title, "M (share of the blocks)", "mAP", lines)


def precision_recall(
    title: str, panels: Mapping[str, Mapping[str, Sequence[Figures]]]
) -> dict[str, Any]:
    """Return the plot of precision over recall on the test part.

    `panels` has by title, and by the name of the line, the figures of each key, seed or setting.
    """
    return {
        "title": title,
        "panels": [
            spread_panel(
                name, "recall", "precision", {line: _curve(each) for line, each in lines.items()}
            )
            for name, lines in panels.items()
        ],
    }


def _curve(rounds: Sequence[Figures]) -> dict[float, list[float]]:
    """Return the interpolated precision at levels of recall, a number for each round."""
    curves = [each["test"]["precision_at_recall"] for each in rounds]
    levels = zip(RECALL_LEVELS, *curves, strict=True)
    return {level: found for level, *found in list(levels)[::EVERY]}


def _short(value: float) -> float:
    return round(value, 4)
