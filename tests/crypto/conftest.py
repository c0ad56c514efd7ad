"""What the tests of the crypto package share: keys with known roots, and the slow reference."""

import importlib.util
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cipherlens.crypto import CipherParameters, KeyEntry

VECTORS = Path(__file__).parent.parent / "vectors"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """Return a function that reads a JSON file of vectors."""
    return lambda name: json.loads((VECTORS / name).read_text())


@pytest.fixture(scope="session")
def vector_path() -> Path:
    """Return the folder of the vectors."""
    return VECTORS


@pytest.fixture(scope="session")
def reference() -> ModuleType:
    """Return the plain Python reference, which shares no code with the package."""
    path = Path(__file__).with_name("reference.py")
    spec = importlib.util.spec_from_file_location("crypto_reference", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_entry() -> Callable[..., KeyEntry]:
    """Return a function that makes a key entry with a known root."""

    def make(
        name: str = "test",
        root: bytes = bytes(range(32)),
        signing_seed: bytes = bytes(range(96, 128)),
        **parameters: Any,
    ) -> KeyEntry:
        return KeyEntry(
            name=name,
            root=root,
            signing_seed=signing_seed,
            parameters=CipherParameters(**parameters),
            created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        )

    return make
