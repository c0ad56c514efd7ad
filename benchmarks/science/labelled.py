"""Labelled pictures that schemes are compared on, each with the split that networks have of it.

PICTURES=OpenClipart,pieces in the environment leaves the others out, where time is short.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.harness.photographs import photograph_files
from benchmarks.harness.pictures import fashion_mnist, openclipart, samples
from benchmarks.harness.places import CONFIGS
from benchmarks.methods import corel10k
from cipherlens.crypto import CipherParameters, open_image, prepare
from cipherlens.model.config import SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError

HALF = CipherParameters(height=64, width=96, substituted_blocks=0)
PAPER = CipherParameters(substituted_blocks=0)
"""The E2E paper's size, 128x192."""

COREL10K = f"{corel10k.NAME}, 128x192"

PIECES = 4
"""A photograph is cut into so many pieces along either side."""

FASHION_LEARNED_FROM = 2_000
"""Pictures of Fashion-MNIST to learn from. It is judged on all 10,000 of its test part, as networks
are: comparing each of them with all others takes a scheme a minute or two of a core, and a database
of another size would have another mAP.
"""

SPLITS = {
    "demo": SplitConfig(validation=0.15, test=0.3),
    "OpenClipart": TrainConfig.from_toml(CONFIGS / "openclipart-e2e.toml").split,
    "photographs": SplitConfig(validation=0.2, test=0.4),
    "Fashion-MNIST": SplitConfig(validation=0.2, test=0.0),
    "Corel10K": TrainConfig.from_toml(CONFIGS / "corel10k-e2e-p8.toml").split,
}
"""Where the makers set a test part aside, as with OpenClipart and Fashion-MNIST, it is that."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """Pictures of classes, and which of them are learned from and judged on."""

    data: PreparedImages
    split: SplitConfig


Loader = Callable[[], Labelled | None]
"""Returns the pictures, None where this machine lacks them."""


def labelled_sets(profile: str) -> dict[str, Loader]:
    """Return the sets of a profile by name: all that there are for "full", the demo's for "quick".

    With the environment variable PICTURES only those whose names begin with a word of it.
    """
    if profile in corel10k.STORES:
        return {COREL10K: partial(_corel10k, profile)}
    if profile != "full":
        return {"demo/samples, 64x96": _samples}
    chosen = tuple(os.environ.get("PICTURES", "").split(","))
    return {name: load for name, load in _loaders().items() if name.startswith(chosen)}


def _loaders() -> dict[str, Loader]:
    return {
        "OpenClipart, 64x96": _openclipart,
        "pieces of photographs, 128x192": pieces,
        "Fashion-MNIST, 32x32": _fashion,
        COREL10K: lambda: _corel10k("paper") if "COREL10K" in os.environ else None,
    }


def pieces() -> Labelled | None:
    """Return the photographs in pieces: what is to be found is the rest of the photograph."""
    found = photograph_files()
    if found is None:
        return None
    images = [
        prepare(whole.crop(box), PAPER)
        for whole in map(open_image, found.files)
        for box in _boxes(*whole.size)
    ]
    count = PIECES**2
    names = [path.relative_to(found.root).as_posix() for path in found.files]
    data = PreparedImages(
        images=tuple(images),
        labels=np.repeat(np.arange(len(names)), count),
        names=tuple(f"{name}, piece {piece}" for name in names for piece in range(count)),
        class_names=tuple(names),
        height=PAPER.height,
        width=PAPER.width,
    )
    return Labelled(data=data, split=SPLITS["photographs"])


def _boxes(width: int, height: int) -> list[tuple[int, int, int, int]]:
    across, down = width // PIECES, height // PIECES
    return [
        (column * across, row * down, (column + 1) * across, (row + 1) * down)
        for row in range(PIECES)
        for column in range(PIECES)
    ]


def _samples() -> Labelled:
    return Labelled(data=samples(HALF), split=SPLITS["demo"])


def _openclipart() -> Labelled | None:
    try:
        data = openclipart(HALF)
    except DataError:
        return None
    return Labelled(data=data, split=SPLITS["OpenClipart"])


def _fashion() -> Labelled | None:
    """Return some of Fashion-MNIST's pictures to learn from, and all that it is judged on."""
    try:
        whole = fashion_mnist(32)
    except DataError:
        return None
    learning, judging = (np.flatnonzero(whole.held_out == part) for part in (False, True))
    some = np.sort(np.random.default_rng(0).permutation(learning)[:FASHION_LEARNED_FROM])
    data = whole.take(np.concatenate([some, judging]))
    return Labelled(data=data, split=SPLITS["Fashion-MNIST"])


def _corel10k(profile: str) -> Labelled:
    return Labelled(data=corel10k.pictures(PAPER, profile), split=SPLITS["Corel10K"])
