"""Which code a figure is of: it is found again only while all code that decides it is the same."""

import ast
import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_OURS = ("benchmarks", "cipherlens")


def sources_digest(module: str) -> str:
    """Return a digest, 64 hexadecimal digits, of a module and of all of ours that it imports."""
    found: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found and (path := _source(name)) is not None:
            found[name] = path.read_bytes()
            waiting += _imported(found[name])
    text = "".join(f"{name} {hashlib.sha256(found[name]).hexdigest()}\n" for name in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()


def _imported(source: bytes) -> Iterator[str]:
    """Yield the names of ours that a source imports; some are no modules, but what is in one."""
    for node in ast.walk(ast.parse(source)):
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
