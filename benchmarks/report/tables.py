"""Tables in Markdown."""

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


def _line(cells: Sequence[object]) -> str:
    # A bar would end the cell.
    texts = ["" if cell is None else str(cell).replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(texts)} |"
