"""Which code a figure is of: it is found again only while all code that decides it is the same.

Comments, docstrings and how lines are broken decide nothing, and may change; so may the version of
Python that reads it.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_OURS = ("benchmarks", "cipherlens")


def sources_digest(*modules: str) -> str:
    """Return a digest, 64 hexadecimal digits, of modules and of all of ours that they import."""
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and (path := _source(name)) is not None:
            found[name], imported = _read(path.read_bytes())
            waiting += imported
    text = "".join(f"{name} {found[name]}\n" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1024)
def _read(source: bytes) -> tuple[str, tuple[str, ...]]:
    """Return a digest of what a source does, and the names of ours that it imports."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [each for each in node.body if not _is_text(each)]
    return hashlib.sha256(_dumped(tree).encode()).hexdigest(), tuple(_imported(tree))


def _dumped(part: Any) -> str:
    """Return a part of a tree as text, the same in all versions of Python.

    What is empty is left out: newer versions have more fields that mostly are.
    """
    if isinstance(part, ast.AST):
        fields = [(name, each) for name, each in ast.iter_fields(part) if each not in (None, [])]
        told = ", ".join(f"{name}={_dumped(each)}" for name, each in fields)
        return f"{type(part).__name__}({told})"
    if isinstance(part, list):
        return f"[{', '.join(map(_dumped, part))}]"
    return repr(part)


def _is_text(statement: ast.stmt) -> bool:
    """Return whether a statement is a string that nobody uses, as a docstring is."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the names of ours that a source imports; some are no modules, but what is in one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{each.name}" for each in node.names)]
        else:
            continue
        yield from (name for name in names if name.partition(".")[0] in _OURS)


def _source(name: str) -> Path | None:
    """Return the file of a module, None if the name is of no module with a source of its own."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # its parent is no package
        return None
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None
