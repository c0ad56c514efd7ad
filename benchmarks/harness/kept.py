"""Raw figures on disk: a JSON file for each benchmark and profile."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.places import RESULTS
from benchmarks.harness.registry import PROFILES
from cipherlens.base import replace_file


def keep(document: Mapping[str, Any], folder: Path = RESULTS) -> Path:
    """Write one benchmark's figures, whole or not at all, and return the file.

    Raises:
        ValueError: a figure is no number, or has no place in JSON.
        TypeError: the same.
    """
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{document['benchmark']}-{document['profile']}.json"
    replace_file(path, text.encode())
    return path


def kept(name: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Return the latest figures of a benchmark: those of the full profile if there are any."""
    for profile in reversed(PROFILES):
        if (document := kept_at(name, profile, folder)) is not None:
            return document
    return None


def kept_at(name: str, profile: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """Return the latest figures of a benchmark's profile."""
    path = folder / f"{name}-{profile}.json"
    if not path.exists():
        return None
    document: dict[str, Any] = json.loads(path.read_text())
    return {"profile": profile, **document}
