"""What ciphertext, codes and vectors give away to whoever holds a server's disk.

Each attack is written down in `benchmarks/leakage`, with what its attacker holds. The attackers
know how everything works; none has a key, except that the truth is compared with it afterwards.
"""

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness.machine import environment
from benchmarks.harness.pictures import described, pictures, samples
from benchmarks.harness.places import RESULTS, ROOT
from benchmarks.harness.progress import say
from benchmarks.harness.sources import sources_digest
from benchmarks.leakage.trials.seen import drawn, examples
from benchmarks.leakage.trials.trial import Pictures
from benchmarks.science.photographs import photographs
from cipherlens.base import replace_file
from cipherlens.crypto import CipherParameters
from cipherlens.model.data.images import PreparedImages

PLACE = 6.2

NOTES = """
"One key" is scope `collection`, "fresh keys" scope `image`, under which every picture has sequences
of its own. Figures in brackets are the lowest and the highest of several keys. Pictures are at the
paper's 128x192, landscape ones only. "Without the attack" is chance, or what stands at its place
before anything is done. White grounds make drawings' blocks alike: nobody can tell which is which,
nor needs to.

![What an attacker sees](results/plots/leakage-seen.png)

Cipher-images of the settings of E2E's Fig. 4, under one key:

![Cipher-images of six settings](results/plots/cipher-examples.png)

The solver of jigsaws is a greedy one: better ones put more together, not less. A plain and a
substituted block say nothing of each other's borders to it, so that it is at its worst at M = 1/2,
which is no protection. Codes and vectors are those of a network that anybody can have, ImageNet's
EfficientNet-Lite0, reduced; the server's vectors are those of the shipped network. The papers give
of all this PSNR alone (E2E's Table I, at [cipher-quality](#cipher-quality)).
"""

TRIALS = ("known_pictures", "jigsaw", "links", "masks", "labels", "position_embeddings", "looks")
"""The modules of `benchmarks.leakage.trials`, in the order of the report."""

PARTS = ROOT / "build" / "leakage"
"""Where trials that are done wait for the others: a run that was stopped goes on."""


SHEET = RESULTS / "plots" / "leakage-seen.png"
EXAMPLES = RESULTS / "plots" / "cipher-examples.png"
SHOWN = (
    "Picture_1A_by_freespace.jpg",
    "seeding_by_Clements_Engelhardt.jpg",
    "houses/home15.png",
    "fruit/watermelon-james-kilfige-01.png",
)
"""Pictures of the sheets, by the ends of their names: two of CC0, the others public domain."""

KNOWN = 4


def run(profile: str) -> dict[str, Any]:
    """Return the tables of all attacks."""
    sets = picture_sets(profile)
    parts = {name: _part(name, sets, profile) for name in TRIALS}
    _draw(sets)
    return {
        "data": "; ".join(f"{name}: {len(images)} pictures" for name, images in sets.items()),
        "seed": "; ".join(f"{name}: {part['seeds']}" for name, part in parts.items()),
        "pictures": [described(name, images) for name, images in sets.items()],
        "results": _joined(parts, "headline"),
        "tables": _joined(parts, "tables"),
        "plots": _joined(parts, "plots"),
        "parts": {
            name: {key: part[key] for key in ("rounds", "measured", "sources")}
            for name, part in parts.items()
        },
    }


def picture_sets(profile: str) -> dict[str, PreparedImages]:
    """Return the sets of pictures that are here: photographs where they are, and drawings."""
    size = CipherParameters()
    found = photographs(size)
    name, drawings = pictures(profile, size)
    sets = {"photographs": found[1]} if found else {}
    return {each: _landscape(images) for each, images in (sets | {name: drawings}).items()}


def _draw(sets: Pictures) -> None:
    """Draw what an attacker sees of photographs, where they are here, and of drawings."""
    drawings = _landscape(samples(CipherParameters()))
    found = [sets["photographs"]] if "photographs" in sets else []
    shown = [
        image
        for images in [*found, drawings]
        for name, image in zip(images.names, images.images, strict=True)
        if name.endswith(SHOWN)
    ]
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    replace_file(SHEET, drawn(np.stack(shown), np.stack(drawings.images[-KNOWN:])))
    replace_file(EXAMPLES, examples(np.stack(shown)))


def _landscape(images: PreparedImages) -> PreparedImages:
    wide = [image.shape[0] < image.shape[1] for image in images.images]
    return images.take(np.flatnonzero(wide))


def _part(name: str, sets: Pictures, profile: str) -> dict[str, Any]:
    """Return a trial's figures, from an earlier run if all that decides them is the same."""
    module = f"benchmarks.leakage.trials.{name}"
    decided_by = [sources_digest(module), profile, *(each.digest() for each in sets.values())]
    path = PARTS / f"{name}-{profile}.json"
    if path.exists() and (kept := _read(path))["decided_by"] == decided_by:
        return kept
    say(f"leakage: {name}")
    trial = import_module(module).run(sets, profile)
    part = {"decided_by": decided_by, "measured": environment(), "sources": decided_by[0]}
    text = json.dumps({**part, **asdict(trial)}, allow_nan=False)
    PARTS.mkdir(parents=True, exist_ok=True)
    replace_file(path, text.encode())
    return _read(path)


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(), parse_float=_short))


def _short(number: str) -> float:
    """Return a number with five significant digits: the raw file has thousands of them."""
    return float(f"{float(number):.5g}")


def _joined(parts: dict[str, dict[str, Any]], what: str) -> dict[str, Any]:
    return {key: value for part in parts.values() for key, value in part[what].items()}
