import ast
import subprocess
import sys
from pathlib import Path

import pytest

from cipherlens.server import index

PUBLIC = [
    "CosineIndex",
    "Device",
    "DeviceUnavailableError",
    "FaissInstallationError",
    "HammingIndex",
    "IndexDescription",
    "IndexState",
    "IvfSettings",
    "RowFilter",
    "SearchParameters",
    "SearchResult",
    "UnfitStateError",
    "VectorIndex",
    "VectorIndexError",
    "check_faiss_installation",
    "live_only",
    "new_index",
    "obstacle",
    "resolve_device",
    "use_one_thread",
]


def test_surface():
    assert index.__all__ == PUBLIC
    assert all(hasattr(index, name) for name in PUBLIC)


@pytest.mark.parametrize("forbidden", ["cipherlens.crypto", "torch", "grpc", "sqlalchemy"])
def test_it_needs_nothing_but_numpy_and_faiss(forbidden):
    program = f"import sys, cipherlens.server.index; sys.exit({forbidden!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_parsed_sources_import_faiss_in_one_place_only():
    folder = Path(index.__file__).parent
    importing = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import) and any(name.name == "faiss" for name in node.names)
    }
    assert importing == {"untyped.py"}
