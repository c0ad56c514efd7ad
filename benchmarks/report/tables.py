"""Tables in Markdown."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

Rows = Mapping[str, Mapping[str, Any]]
"""{row: {column: value}}."""


def markdown(corner: str, rows: Rows, exact: Collection[str] = ()) -> str:
    """Return a Markdown table with a row for each case; what a row lacks stays empty.

    Numbers have three significant digits, but for the columns `exact`, where the last one counts.
    """
    columns = list(dict.fromkeys(column for figures in rows.values() for column in figures))
    head = [_line([corner, *columns]), f"|---{'|---:' * len(columns)}|"]
    body = [
        _line([case, *(_cell(figures.get(column), whole=column in exact) for column in columns)])
        for case, figures in rows.items()
    ]
    return "\n".join(head + body)


def figure(value: float) -> str:
    """Return a number to three significant digits: 0.537, 15,700; 1.00 for .9998, and 1 for one."""
    if isinstance(value, int) and abs(value) < 1000:
        return str(value)
    rounded = float(f"{value:.3g}")
    if abs(rounded) >= 100:
        return f"{rounded:,.0f}"
    return f"{value:.3g}" if rounded == value else f"{value:#.3g}"


def _cell(value: object, *, whole: bool) -> str:
    if value is None:
        return ""
    if whole or isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return figure(value)


def _line(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]  # a bar would end the cell
    return f"| {' | '.join(escaped)} |"
