"""Photographs of the Debian packages in `configs/photographs.toml`.

    apt-get install mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04

puts them here; they are under GPL-2+, CC-BY-4.0, CC-BY-SA-4.0 and CC0-1.0, as each package's
copyright file says. With the environment variable PHOTOGRAPHS all pictures below that folder are
taken in their place.
"""

import os
import tomllib
from pathlib import Path

import numpy as np

from benchmarks.harness.places import CONFIGS
from cipherlens.crypto import PreparedSize
from cipherlens.model.data.images import (
    IMAGE_SUFFIXES,
    LabelledFiles,
    PreparedImages,
    load_prepared,
)

PACKAGED = Path("/usr/share/backgrounds")
PACKAGES = CONFIGS / "photographs.toml"


def photographs(size: PreparedSize) -> tuple[str, PreparedImages] | None:
    """Return where the photographs are from, and them; None where there are none."""
    folder = os.environ.get("PHOTOGRAPHS")
    if folder:
        origin, root, files = folder, Path(folder), _pictures(Path(folder))
    else:
        origin, root, files = _packaged()
    if not files:
        return None
    listed = LabelledFiles(
        root=root,
        paths=tuple(files),
        labels=np.zeros(len(files), dtype=np.int64),
        class_names=("photographs",),
    )
    return origin, load_prepared(listed, size)


def _packaged() -> tuple[str, Path, list[Path]]:
    """Return the packages that are here, their folder and their photographs."""
    found = {
        package: [PACKAGED / name for name in names]
        for package, names in tomllib.loads(PACKAGES.read_text()).items()
        if all((PACKAGED / name).is_file() for name in names)
    }
    origin = f"Debian {', '.join(found)}"
    return origin, PACKAGED, [path for files in found.values() for path in files]


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
