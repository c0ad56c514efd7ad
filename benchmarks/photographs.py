"""Photographs of Debian packages: those that are no drawings, chosen by eye.

    apt-get install mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04

puts them here; they are under GPL-2+, CC-BY-4.0, CC-BY-SA-4.0 and CC0-1.0, as each package's
copyright file says. With the environment variable PHOTOGRAPHS all pictures below that folder are
taken in their place.
"""

import os
from pathlib import Path

import numpy as np

from cipherlens.crypto import PreparedSize
from cipherlens.model.data.images import (
    IMAGE_SUFFIXES,
    LabelledFiles,
    PreparedImages,
    load_prepared,
)

PACKAGED = Path("/usr/share/backgrounds")
PACKAGES = {
    "mate-backgrounds": [
        "mate/nature/Aqua.jpg",
        "mate/nature/Blinds.jpg",
        "mate/nature/Dune.jpg",
        "mate/nature/FreshFlower.jpg",
        "mate/nature/Garden.jpg",
        "mate/nature/GreenMeadow.jpg",
        "mate/nature/LadyBird.jpg",
        "mate/nature/RainDrops.jpg",
        "mate/nature/Storm.jpg",
        "mate/nature/TwoWings.jpg",
        "mate/nature/Wood.jpg",
        "mate/nature/YellowFlower.jpg",
    ],
    "lomiri-wallpapers-16.04": [
        "Bridge_by_Sander_Klootwijk.jpg",
        "Dragonfly_by_Bolly.jpg",
        "Picture_0B_by_freespace.jpg",
        "Picture_1A_by_freespace.jpg",
        "Wine_by_Jakkub_Mede.jpg",
        "aitzgorri_by_Aitzol_Berasategi.jpg",
        "free_by_Peter_Nerlich.jpg",
        "friends_by_Aitzol_Berasategi.jpg",
        "greentock_by_Peter_Nerlich.jpg",
        "life_by_Aitzol_Berasategi.jpg",
        "picosdeeuropa_by_Aitzol_Berasategi.jpg",
        "seeding_by_Clements_Engelhardt.jpg",
        "sunset_by_Aitzol_Berasategi.jpg",
    ],
    "lomiri-wallpapers-20.04": [
        "Infinite-Sea_by_Aury88.jpg",
        "Kleiber_by_Lukas_Baubkus.jpg",
    ],
}


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
        for package, names in PACKAGES.items()
        if all((PACKAGED / name).is_file() for name in names)
    }
    origin = f"Debian {', '.join(found)}"
    return origin, PACKAGED, [path for files in found.values() for path in files]


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
