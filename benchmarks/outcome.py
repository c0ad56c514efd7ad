"""What a table needs of a training's figures; `results/trainings` has all of them."""

from typing import Any, TypeAlias

Figures: TypeAlias = dict[str, Any]
"""As `training.figures_of` returns them."""


def test_map(figures: Figures) -> float:
    """Return the mAP on the test part, which no choice may look at."""
    return float(figures["test"]["map"])


def validation_map(figures: Figures) -> float:
    """Return the mAP on the validation part, of the epoch that was chosen by it."""
    return float(figures["validation_map"])


def outcome(figures: Figures) -> Figures:
    """Return the figures without settings, log and machine."""
    names = ("test", "validation_map", "best_epoch", "cpu_minutes")
    return {name: figures[name] for name in names}
