"""Times over collections of 2,000 to 10,000 images: rows, how they grow, and their plot."""

from collections.abc import Mapping, Sequence
from typing import Any

SIZES = (2000, 4000, 6000, 8000, 10_000)
"""The collections of DLHEIR Table 3 and Figs. 4 to 6."""


def by_size(sizes: Sequence[int], values: Sequence[float]) -> dict[str, Any]:
    """Return a row with a column for each size, and how the value grows from first to last."""
    row: dict[str, Any] = {f"{size:,}": value for size, value in zip(sizes, values, strict=True)}
    return {**row, "growth": ratio(values[-1], values[0])}


def table(rows: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """Return the rows of values by size, each with its growth."""
    return {name: by_size(SIZES, values) for name, values in rows.items()}


def ratio(value: float, base: float) -> float | None:
    """Return value / base to three digits, None where there is nothing to divide by."""
    return float(f"{value / base:.3g}") if base else None


def panel(
    title: str, rows: Mapping[str, Sequence[float]], *, x: str, y: str, log: bool = True
) -> dict[str, Any]:
    """Return a panel with a line for each row of values by size."""
    lines = {name: [list(SIZES), list(values)] for name, values in rows.items()}
    return {"title": title, "x": x, "y": y, "lines": lines, "log": log}


def level(value: float) -> list[float]:
    """Return the row of what is the same at every size."""
    return [value] * len(SIZES)
