"""Precision of the schemes that DLHEIR compares with, at k = 20 to 100, beside our hash networks.

Colour structure and scalable colour under secure kNN (Xia) and SimHash of visual words (Qin), each
under three keys. Each test picture asks for the most similar of all others that are not in the test
part, as in DLHEIR's Fig. 3.
"""

from functools import partial
from typing import Any

from benchmarks.harness.kept import kept_at
from benchmarks.harness.registry import PAPER
from benchmarks.methods import corel10k
from benchmarks.methods.literature import OF_OWNERS, TITLES, comparators
from benchmarks.science.scheme_tables import (
    Comparators,
    Sets,
    facts,
    measured_sets,
    plots,
    precision_at,
    row,
)
from cipherlens.model.config import SplitConfig

PLACE = 11.5
AT_PAPERS_SCALE = True

LEVELS = (20, 40, 60, 80, 100)

NOTES = """\
DLHEIR's Fig. 3 shows Xia and Qin as curves without numbers; its text says that both stand clearly
below DLHEIR. What each scheme is and what was guessed is stated in its file in
`benchmarks/methods`. Networks are those of [hash-precision](#hash-precision), which learn from
labels on the same split of OpenClipart, at 120x120. Classes have 30 to 105 pictures to find in
OpenClipart and ten at most among pieces of photographs, of which P@20 cannot pass 50 %. On
Fashion-MNIST, which is grey, the 10,000 test pictures search 2,000 others. Codes like QSMIH's are
in [trained-methods](#trained-methods).

The mAP of Xia and of Qin hangs on the key only as far as clusters and fingerprints do. Sizes of Xia
are of a stored vector and a trapdoor together.
"""


NETWORKS = {"full": ("OpenClipart", "120x120"), PAPER: (corel10k.NAME, "384x384")}
"""Which of our networks stand beside the schemes of a profile."""


def run(profile: str) -> dict[str, Any]:
    """Return precision, mAP, times and sizes of each scheme on each set of pictures."""
    sets = measured_sets(profile, partial(_of_owners, profile))
    return {**document(sets, profile), **corel10k.facts(profile)}


def _of_owners(profile: str, split: SplitConfig, seeds: int) -> Comparators:
    """Return the schemes, on Corel10K with DLHEIR's split, which is not E2E's."""
    if profile in corel10k.STORES:
        split = corel10k.hashing(profile).split
    return comparators(OF_OWNERS, split, seeds, against_rest=True)


def document(sets: Sets, profile: str) -> dict[str, Any]:
    """Return the document of the measured sets."""
    results = {
        f"{TITLES[scheme]}, {name}": {
            f"P@{k}": round(100 * precision_at(runs, k), 2) for k in LEVELS
        }
        for name, each in sets.items()
        for scheme, runs in each["schemes"].items()
    }
    return {
        "unit": "percent: mean over the keys",
        **facts(sets),
        "results": results | _networks(profile),
        "tables": {
            name: {TITLES[scheme]: row(runs) for scheme, runs in each["schemes"].items()}
            for name, each in sets.items()
        },
        "plots": plots("hash-methods", sets),
    }


def _networks(profile: str) -> dict[str, dict[str, float]]:
    """Return the precision of our hash networks, where it was measured."""
    pictures, size = NETWORKS.get(profile, ("", ""))
    found = (kept_at("hash-precision", profile) or {}).get("results", {}) if size else {}
    return {
        f"our network, {pictures}, {name}": {f"P@{k}": each[f"P@{k}"] for k in LEVELS}
        for name, each in found.items()
        if size in name or name == "ceiling"
    }
