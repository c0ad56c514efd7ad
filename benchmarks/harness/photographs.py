"""Photographs of the Debian packages in `configs/photographs.toml`, as files.

    apt-get install mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04

puts them here; they are under GPL-2+, CC-BY-4.0, CC-BY-SA-4.0 and CC0-1.0, as each package's
copyright file says. With the environment variable PHOTOGRAPHS all pictures below that folder are
taken in their place.
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.places import CONFIGS
from cipherlens.model.data.images import IMAGE_SUFFIXES

PACKAGED = Path("/usr/share/backgrounds")
PACKAGES = CONFIGS / "photographs.toml"


@dataclass(frozen=True, kw_only=True, slots=True)
class Photographs:
    """Files below a root, at least one, and where they are from."""

    origin: str
    root: Path
    files: list[Path]


def photograph_files() -> Photographs | None:
    """Return the photographs of this machine, None where there are none."""
    folder = os.environ.get("PHOTOGRAPHS")
    found = _below(Path(folder)) if folder else _packaged()
    return found if found.files else None


def _below(folder: Path) -> Photographs:
    """Return all pictures below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    return Photographs(origin=str(folder), root=folder, files=files)


def _packaged() -> Photographs:
    """Return the photographs of the packages that are here."""
    found = {
        package: [PACKAGED / name for name in names]
        for package, names in tomllib.loads(PACKAGES.read_text()).items()
        if all((PACKAGED / name).is_file() for name in names)
    }
    files = [path for each in found.values() for path in each]
    return Photographs(origin=f"Debian {', '.join(found)}", root=PACKAGED, files=files)
