"""Tables of figures: Markdown, and the ratios that two machines can be compared by."""

from collections.abc import Mapping, Sequence
from typing import Any

Rows = Mapping[str, Mapping[str, Any]]
"""{row: {column: value}}."""


def markdown(corner: str, rows: Rows) -> str:
    """Return a Markdown table with a row for each case; what a row lacks stays empty."""
    columns = list(dict.fromkeys(column for figures in rows.values() for column in figures))
    head = [_line([corner, *columns]), f"|---{'|---:' * len(columns)}|"]
    body = [
        _line([case, *(figures.get(column, "") for column in columns)])
        for case, figures in rows.items()
    ]
    return "\n".join(head + body)


def by_size(sizes: Sequence[int], values: Sequence[float]) -> dict[str, Any]:
    """Return a row with a column for each size, and how the value grows from first to last."""
    row: dict[str, Any] = {f"{size:,}": value for size, value in zip(sizes, values, strict=True)}
    return {**row, "growth": ratio(values[-1], values[0])}


def ratio(value: float, base: float) -> float | None:
    """Return value / base to three digits, None where there is nothing to divide by."""
    return float(f"{value / base:.3g}") if base else None


def _line(cells: Sequence[object]) -> str:
    # A bar would end the cell.
    texts = ["" if cell is None else str(cell).replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(texts)} |"
