"""Printing: tables and JSON on standard output, progress and remarks on standard error."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

HIDDEN = {
    number: f"\\u{number:04x}"
    for number in (
        *(each for each in range(0x20) if chr(each) not in "\n\t"),
        *range(0x7F, 0xA0),
        0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A),
    )
}  # fmt: skip
"""What a terminal obeys, or that turns the order of letters: by number, how it is shown instead.

A server may send anything as a name or as the text of an error. JSON reads it as the same text.
"""

_UNBOUNDED_WIDTH = 10_000  # of a table in a pipe or a file, whose cells must not be cut


@dataclass
class _Manner:
    """How much is said beside results and errors."""

    quiet: bool = False


_MANNER = _Manner()


def be_quiet(*, quiet: bool) -> None:
    """Print no remarks and show no progress from here on, or do so again."""
    _MANNER.quiet = quiet


def remark(text: str) -> None:
    """Print a line for people, which is no result, on standard error."""
    if not _MANNER.quiet:
        typer.echo(visible(text), err=True)


def visible(text: str) -> str:
    """Return a text in which nothing is hidden; its lines stay."""
    return text.translate(HIDDEN)


def json_text(document: Any) -> str:
    """Return a document as one line of JSON."""
    return visible(json.dumps(document, ensure_ascii=False, separators=(", ", ": ")))


def print_json(document: Any) -> None:
    """Print a result as one line of JSON on standard output."""
    typer.echo(json_text(document))


def print_outcome(document: Any, text: str, *, as_json: bool) -> None:
    """Print what a command has done, as JSON or in words."""
    typer.echo(json_text(document) if as_json else visible(text))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table on standard output; a column whose name ends in "#" is set flush right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        number = column.endswith("#")
        table.add_column(
            column.removesuffix("#"), justify="right" if number else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(visible(str(cell)) for cell in row))
    _print(table)


def print_facts(facts: Sequence[tuple[str, object]]) -> None:
    """Print names and values below each other on standard output."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(visible(name), visible(str(value)))
    _print(table)


def progress_bar() -> Progress:
    """Return a progress bar on standard error, which shows only at a terminal."""
    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=_MANNER.quiet or not console.is_terminal,
        transient=True,
    )


def _print(table: Table) -> None:
    """Print a table, where text is never taken for markup, without rich's padding at line ends."""
    terminal = sys.stdout.isatty()
    width = None if terminal else _UNBOUNDED_WIDTH
    console = Console(width=width, markup=False, highlight=False, emoji=False)
    if terminal:
        console.print(table)
        return
    with console.capture() as captured:
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
