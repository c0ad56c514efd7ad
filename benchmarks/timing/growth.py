"""Times over collections of 2,000 to 10,000 images: rows, how they grow, and their plot."""

from collections.abc import Mapping, Sequence
from typing import Any

SIZES = (2000, 4000, 6000, 8000, 10_000)
"""The collections of DLHEIR Table 3 and Figs. 4 to 6."""

TABLE_3 = {
    "48 bits": (0.58, 0.742, 0.908, 1.073, 1.249),
    "32 bits": (0.537, 0.657, 0.776, 0.894, 1.016),
    "24 bits": (0.505, 0.608, 0.637, 0.799, 0.908),
    "12 bits": (0.483, 0.554, 0.637, 0.703, 0.785),
    "Xia (CSD)": (2.51, 4.60, 6.26, 8.34, 10.49),
    "Xia (SCD)": (1.65, 3.79, 5.36, 6.53, 8.78),
    "Qin": (0.95, 1.46, 2.25, 2.88, 3.63),
}
"""DLHEIR Table 3, unit not given; the lengths are those of its own codes."""


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
