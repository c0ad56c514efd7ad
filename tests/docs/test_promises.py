"""Every promise of SECURITY.md and of the guide for operators names the tests that hold it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ["SECURITY.md", "docs/operations.md"]
HELD_BY = "held by"
# The first columns of tables that tell what is, and promise nothing.
TELLING = {"asset", "party", "you want", "kind of collection", "what", "metric", "limit"}


class Row(NamedTuple):
    """A line of a table below its head."""

    document: str
    number: int
    head: tuple[str, ...]
    cells: tuple[str, ...]

    @property
    def tests(self) -> list[str]:
        """What it says holds it, as path and name."""
        return re.findall(r"`([^`]+)`", self.cells[-1]) if self.head[-1] == HELD_BY else []


def cells(line: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in re.split(r"(?<!\\)\|", line.strip())[1:-1])


def rows(document: str) -> Iterator[Row]:
    head: tuple[str, ...] | None = None
    for number, line in enumerate((ROOT / document).read_text().splitlines(), 1):
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = cells(line)
        elif not set(line) <= set("|-: "):
            yield Row(document, number, head, cells(line))


ROWS = [row for document in DOCUMENTS for row in rows(document)]


def collected(paths: set[str]) -> set[str]:
    """Return the tests of files as path and name, the long ones too."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", *sorted(paths)],
        cwd=ROOT / "tests",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    names = re.findall(r"^(?:tests/)?(\S+\.py::\w+)", done.stdout, re.MULTILINE)
    return set(names)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_there_are_promises(document: str) -> None:
    assert sum(row.document == document and row.head[-1] == HELD_BY for row in ROWS) > 10


def test_a_table_promises_or_tells() -> None:
    others = {row.head[0] for row in ROWS if row.head[-1] != HELD_BY}
    assert others <= TELLING


def test_no_promise_stands_without_a_test() -> None:
    promises = [row for row in ROWS if row.head[-1] == HELD_BY]
    assert [f"{row.document}:{row.number}" for row in promises if not row.tests] == []
    assert {len(row.cells) - len(row.head) for row in ROWS} == {0}


def test_every_test_that_is_named_is_there() -> None:
    named = {test for row in ROWS for test in row.tests}
    assert named - collected({test.partition("::")[0] for test in named}) == set()
