"""mAP of every scheme in E2E's Table II, run by us under three keys, beside the paper's figures.

Each scheme encrypts the pictures as its own paper says, its server sees that ciphertext alone, and
it is judged on the split that our networks have of the same pictures: settings that a paper leaves
open are chosen on the validation part, and the test part is looked at once for each key.
"""

from functools import partial
from typing import Any

from benchmarks.harness.kept import kept_at
from benchmarks.harness.registry import PAPER as PAPERS_PROFILE
from benchmarks.methods import corel10k
from benchmarks.methods.literature import OF_CIPHERTEXT, TITLES, comparators
from benchmarks.science.labelled import COREL10K
from benchmarks.science.scheme_tables import Sets, across, facts, measured_sets, plots, row

PLACE = 7.5
AT_PAPERS_SCALE = True

PAPER = {
    "zhang": 0.1478,
    "li": 0.1493,
    "liang": 0.1008,
    "xia-ac": 0.1298,
    "xia-boew": 0.1269,
    "xu": 0.4252,
    "wang": 0.0511,
    "xia-lbp": 0.0928,
}
"""Each scheme's mAP on Corel10K in the paper's Table II."""

NETWORKS = {
    "P=8, M=1/4": 0.5373,
    "P=8, M=1/2": 0.5109,
    "P=8, M=3/4": 0.4929,
    "P=16, M=1/4": 0.5089,
    "P=16, M=1/2": 0.4818,
    "P=16, M=3/4": 0.4342,
}
"""The paper's own rows: the best of four settings on its test part."""

CHOSEN = "Setting chosen on validation, judged on test (Table II)"

NOTES = """\
None of these papers says all that a program needs, and we know of no public code; the text of each
file in `benchmarks/methods` states what was known and what was guessed. So a figure here is of the
scheme as we understand it, and no claim on its authors' program. The paper's column is of Corel10K,
100 classes of 100 photographs, which only those who have it can measure. Levels do not compare
between sets; the order of schemes on one set does. Our networks are those of [settings](#settings)
on OpenClipart's same test pictures, and of [fashion-mnist-hour](#fashion-mnist-hour) on
Fashion-MNIST's; they learn from labels, which the schemes do not. There the schemes learn words
from 2,000 pictures, as far as they do, and are judged as the networks are: each of the 10,000 test
pictures ranks the others. Those are all grey, so that what a scheme makes of colours is idle, and
have 16 blocks of 8x8.

Times are of one process beside much else that ran, and hold no disk; sizes are what the server gets
of a picture, its ciphertext, and the features that it compares. Photographs are cut in 4x4 pieces,
of which 40 % test; a piece is to find the other pieces of its photograph. Where the lowest and the
highest mAP are the same, a scheme's features do not depend on the key at all.

EViT, which the paper's table does not have, is in [trained-methods](#trained-methods).
"""


def run(profile: str) -> dict[str, Any]:
    """Return mAP, precision, times and sizes of each scheme on each set of pictures."""
    sets = measured_sets(profile, partial(comparators, OF_CIPHERTEXT))
    return {**document(sets), **corel10k.facts(profile)}


def document(sets: Sets) -> dict[str, Any]:
    """Return the document of the measured sets."""
    schemes = dict.fromkeys(name for each in sets.values() for name in each["schemes"])
    networks = our_networks()
    quoted = {TITLES[scheme]: value for scheme, value in PAPER.items()}
    return {
        "unit": "mAP, each test picture ranking the others: mean over the keys",
        **facts(sets),
        "results": {
            **{TITLES[scheme]: across(scheme, sets) for scheme in schemes},
            **{name: found for name, found in networks.items() if set(found) & set(sets)},
        },
        "paper": {name: {"Corel10K": value} for name, value in (quoted | NETWORKS).items()},
        "tables": {
            name: {TITLES[scheme]: row(runs) for scheme, runs in each["schemes"].items()}
            for name, each in sets.items()
        },
        "plots": plots("methods", sets),
    }


def our_networks() -> dict[str, dict[str, float]]:
    """Return the test mAP of our networks, chosen on validation, where it was measured."""
    found: dict[str, dict[str, float]] = {}
    for profile, pictures in (("full", "OpenClipart, 64x96"), (PAPERS_PROFILE, COREL10K)):
        tables = (kept_at("settings", profile) or {}).get("tables", {})
        for case, chosen in tables.get(CHOSEN, {}).items():
            if "test" in chosen:
                found.setdefault(f"our ViT, {case}", {})[pictures] = chosen["test"]
    fashion = (kept_at("fashion-mnist-hour", "full") or {}).get("results", {})
    return found | {
        f"our ViT, {name}": {"Fashion-MNIST, 32x32": each["mAP"]}
        for name, each in fashion.items()
        if not name.startswith("hash")
    }
