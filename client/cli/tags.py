"""Tags on the command line: what is searched among, and what a file says of pictures."""

import csv
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import typer

from cipherlens.client import TagFilter
from cipherlens.client.cli.failure import USAGE, CommandError
from cipherlens.crypto import checked_tags

AllOf = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Only items with this tag; again for one more."),
]
AnyOf = Annotated[
    list[str] | None,
    typer.Option(
        "--any-tag", metavar="TAG", help="Only items with this tag, or another that is so named."
    ),
]
NoneOf = Annotated[
    list[str] | None,
    typer.Option("--no-tag", metavar="TAG", help="Only items without this tag."),
]
Given = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="TAG", help="Find every picture by this tag; again for more."),
]
FromFile = Annotated[
    Path | None,
    typer.Option(
        "--tags",
        metavar="FILE",
        help="Tags of pictures by name: .jsonl with {'name': ..., 'tags': [...]} in each line, or "
        "CSV with the name and then a tag in each cell; - reads CSV from standard input.",
    ),
]


def tag_filter(
    all_of: list[str] | None, any_of: list[str] | None, none_of: list[str] | None
) -> TagFilter:
    """Return the filter that options describe."""
    return TagFilter(any_of=any_of or (), all_of=all_of or (), none_of=none_of or ())


def tags_of_pictures(
    given: list[str] | None, path: Path | None
) -> Callable[[str], list[str]] | None:
    """Return what each picture shall be found by; None where nothing was said: all stays.

    Raises:
        CommandError: the file cannot be understood; names the line.
    """
    if not given and path is None:
        return None
    every = checked_tags(given or ())
    by_name = {} if path is None else _read(path)
    return lambda name: [*every, *by_name.get(name, ())]


def _read(path: Path) -> dict[str, list[str]]:
    """Return the tags of a file, by names in Unicode's form NFC."""
    found: dict[str, list[str]] = {}
    read = 0
    with _opened(path) as file:
        entries = _of_json if path.suffix in (".jsonl", ".ndjson") else _of_csv
        try:
            for name, tags in entries(file):
                read += 1
                found.setdefault(unicodedata.normalize("NFC", name), []).extend(tags)
        except (ValueError, TypeError, LookupError, csv.Error) as error:
            raise CommandError(f"{path}, entry {read + 1}: {error}", exit_code=USAGE) from error
    return found


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """Open a file of text, or give standard input for "-"."""
    if str(path) == "-":
        yield sys.stdin
        return
    with path.open(encoding="utf-8-sig", newline="") as file:
        yield file


def _of_csv(file: TextIO) -> Iterator[tuple[str, list[str]]]:
    """Yield names and tags of lines of cells. Raises ValueError, csv.Error."""
    for name, *tags in filter(None, csv.reader(file)):
        yield name, checked_tags(filter(None, tags))


def _of_json(file: TextIO) -> Iterator[tuple[str, list[str]]]:
    """Yield names and tags of lines of JSON. Raises ValueError, TypeError, LookupError."""
    for line in filter(str.strip, file):
        document = json.loads(line)
        name, tags = document["name"], document["tags"]
        if not all(isinstance(each, str) for each in (name, *tags)):
            raise ValueError("it must be {'name': TEXT, 'tags': [TEXT, ...]}")
        yield name, checked_tags(tags)
