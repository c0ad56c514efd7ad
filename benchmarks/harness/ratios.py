"""Ratios within one run, each beside what was asked of it."""

from typing import Any

AT_LEAST, AT_MOST = "at least", "at most"

Ratios = dict[str, dict[str, Any]]
"""{what over what: {"reached": ratio, "at least" or "at most": what was asked}}."""


def at_least(value: float, base: float, asked: float) -> dict[str, Any]:
    """Return a ratio that should be large."""
    return {"reached": digits(value / base), AT_LEAST: asked}


def at_most(value: float, base: float, asked: float) -> dict[str, Any]:
    """Return a ratio that should be small."""
    return {"reached": digits(value / base), AT_MOST: asked}


def digits(value: float) -> float:
    """Return a value to three digits."""
    return float(f"{value:.3g}")
