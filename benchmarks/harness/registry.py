"""The benchmarks there are: each file of the rooms below that says its place in the report."""

import ast
import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

ROOMS = ("benchmarks.timing", "benchmarks.science")
PROFILES = ("quick", "full")


@dataclass(frozen=True, kw_only=True, slots=True)
class Benchmark:
    """What a benchmark's file says of it; the package's own docstring tells what each part is."""

    name: str
    module: str
    place: float
    words: str
    notes: str

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
    )
