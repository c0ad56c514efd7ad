"""The benchmarks there are: each file of the rooms below that says its place in the report."""

import ast
import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOMS = ("benchmarks.timing", "benchmarks.science")
PAPER = "paper"
TRY = "paper-try"
PROFILES = ("quick", "full", PAPER)
"""What is kept and shown: the last that there is. A try of `paper` is neither."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """What a benchmark's file says of it; the package's own docstring tells what each part is.

    `at_papers_scale` is whether it has the profiles `paper` and `paper-try`, on Corel10K;
    `by_name_only` whether it is left out of `all`, as few machines can run it.
    """

    name: str
    module: str
    place: float
    words: str
    notes: str
    at_papers_scale: bool
    by_name_only: bool

    @property
    def about(self) -> str:
        """What it measures, in a line."""
        return self.words.partition("\n")[0].rstrip(".")


def registered() -> dict[str, Benchmark]:
    """Return the benchmarks by name, in the order of the report."""
    read = [
        benchmark
        for room in ROOMS
        for folder in importlib.import_module(room).__path__
        for path in Path(folder).glob("*.py")
        if (benchmark := _read(path, room)) is not None
    ]
    return {each.name: each for each in sorted(read, key=lambda each: (each.place, each.name))}


def with_profile(profile: str) -> list[str]:
    """Return the names of the benchmarks that have a profile, in the order of the report."""
    all_have_it = profile not in (PAPER, TRY)
    return [name for name, each in registered().items() if all_have_it or each.at_papers_scale]


def module_of(name: str) -> ModuleType:
    """Return the module of a benchmark."""
    return importlib.import_module(registered()[name].module)


def _read(path: Path, room: str) -> Benchmark | None:
    """Return the benchmark in a file, None if it has none: its text is read, nothing is run."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said: dict[str, Any] = {
        target.id: value.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and isinstance(value := statement.value, ast.Constant)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    if "PLACE" not in said:
        return None
    return Benchmark(
        name=path.stem.replace("_", "-"),
        module=f"{room}.{path.stem}",
        place=said["PLACE"],
        words=ast.get_docstring(tree) or "",
        notes=said.get("NOTES", "").strip(),
        at_papers_scale=said.get("AT_PAPERS_SCALE", False),
        by_name_only=said.get("BY_NAME_ONLY", False),
    )
