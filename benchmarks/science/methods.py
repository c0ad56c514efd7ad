"""mAP of every scheme in E2E's Table II, run by us under three keys, beside the paper's figures.

Each scheme encrypts the pictures as its own paper says, its server sees that ciphertext alone, and
it is judged on the split that our networks have of the same pictures: settings that a paper leaves
open are chosen on the validation part, and the test part is looked at once for each key.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness.kept import kept
from benchmarks.harness.pictures import described
from benchmarks.harness.places import RESULTS, ROOT
from benchmarks.harness.progress import say
from benchmarks.methods.figures import Figures, Store, all_figures, test_map, validation_map
from benchmarks.methods.literature import comparators
from benchmarks.methods.method import RANKS
from benchmarks.science.labelled import Labelled, labelled_sets

PLACE = 7.5

SEEDS = {"quick": 1, "full": 3}
STORES = {
    "quick": Store(figures=ROOT / "build" / "methods"),
    "full": Store(figures=RESULTS / "methods"),
}

PAPER = {
    "zhang": ("Zhang [7]", 0.1478),
    "li": ("Li [8]", 0.1493),
    "liang": ("Liang [9]", 0.1008),
    "xia-ac": ("Xia (AC) [10]", 0.1298),
    "xia-boew": ("Xia (BOEW) [13]", 0.1269),
    "xu": ("Xu [11]", 0.4252),
    "wang": ("Wang [14]", 0.0511),
    "xia-lbp": ("Xia (LBP) [15]", 0.0928),
}
"""How the tables call each scheme, and its mAP on Corel10K in the paper's Table II."""

NOTES = """\
None of these papers says all that a program needs, and none but EViT's has public code; the text of
each file in `benchmarks/methods` states what was known and what was guessed. So a figure here is of
the scheme as we understand it, and no claim on its authors' program. The paper's column is of
Corel10K, which is not here: 100 classes of 100 photographs. Levels do not compare between sets;
the order of schemes on one set does. Networks are those of [settings](#settings) and
[fashion-mnist-e2e](#fashion-mnist-e2e), on the same test pictures where the size is the same; they
learn from labels, which the schemes do not.

Times are of one process on whatever else ran, and hold no network or disk; sizes are what the
server keeps of a picture: its ciphertext and the features it compares. Fashion-MNIST is 2,000 of
the training pictures and 2,000 of the test. Photographs are cut in 4x4 pieces, of which 40 % test;
a piece is to find the other pieces of its photograph.
"""


def run(profile: str) -> dict[str, Any]:
    """Return mAP, precision, times and sizes of each scheme on each set of pictures."""
    sets = {}
    for name, load in labelled_sets(profile).items():
        say(f"{name}: preparing the pictures")
        if (found := load()) is not None:
            sets[name] = measured(found, SEEDS[profile], STORES[profile])
        else:
            say(f"{name}: not here")
    return document(sets)


def measured(pictures: Labelled, seeds: int, store: Store) -> dict[str, Any]:
    """Return what is kept of one set: its facts, and the figures of each scheme and seed."""
    methods = comparators(pictures.split, seeds)
    figures = all_figures(methods, pictures.data, store)
    return {
        "pictures": described("", pictures.data),
        "schemes": {
            scheme: [figures[name, seed] for name, seed in methods if name == scheme]
            for scheme in dict.fromkeys(name for name, _ in methods)
        },
    }


def document(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document of the measured sets."""
    schemes = dict.fromkeys(name for each in sets.values() for name in each["schemes"])
    networks = our_networks()
    return {
        "unit": "mAP, each test picture ranking the others: mean over the keys",
        "data": "; ".join(_words(name, each["pictures"]) for name, each in sets.items()),
        "seed": f"keys of the seeds 0 to {max(map(_keys, sets.values())) - 1}",
        "results": {
            **{_title(scheme): _across(scheme, sets) for scheme in schemes},
            **{name: row for name, row in networks.items() if set(row) & set(sets)},
        },
        "paper": {title: {"Corel10K": value} for scheme, (title, value) in PAPER.items()},
        "tables": {
            name: {_title(scheme): _row(runs) for scheme, runs in each["schemes"].items()}
            for name, each in sets.items()
        },
        "plots": {"methods": _plot(sets)},
        "sets": {
            name: {"pictures": each["pictures"], "schemes": _outcomes(each["schemes"])}
            for name, each in sets.items()
        },
    }


def our_networks() -> dict[str, dict[str, float]]:
    """Return the test mAP of our networks, chosen on validation, where it was measured."""
    table = "Setting chosen on validation, judged on test (Table II)"
    chosen = (kept("settings") or {}).get("tables", {}).get(table, {})
    fashion = (kept("fashion-mnist-e2e") or {}).get("results", {})
    return {
        **{
            f"our ViT, {case}": {"OpenClipart, 64x96": row["test"]}
            for case, row in chosen.items()
            if "test" in row
        },
        **{
            f"our ViT, {name}": {"Fashion-MNIST, 32x32": row["mAP"]}
            for name, row in fashion.items()
        },
    }


def _title(scheme: str) -> str:
    return PAPER[scheme][0] if scheme in PAPER else scheme


def _keys(found: Mapping[str, Any]) -> int:
    return max(len(runs) for runs in found["schemes"].values())


def _words(name: str, pictures: Mapping[str, Any]) -> str:
    return f"{name}: {pictures['pictures']} pictures in {pictures['classes']} classes"


def _across(scheme: str, sets: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return a scheme's mAP on each set."""
    return {
        name: round(statistics.fmean(map(test_map, each["schemes"][scheme])), 4)
        for name, each in sets.items()
        if scheme in each["schemes"]
    }


def _row(runs: Sequence[Figures]) -> dict[str, Any]:
    """Return a scheme's row on one set: means over the keys, and the spread of the mAP."""
    maps = [test_map(each) for each in runs]

    def mean(name: str) -> float:
        return statistics.fmean(each[name] for each in runs)

    return {
        "mAP": round(statistics.fmean(maps), 4),
        "lowest": round(min(maps), 4),
        "highest": round(max(maps), 4),
        "random order": round(runs[0]["test"]["chance"], 4),
        "validation": round(statistics.fmean(map(validation_map, runs)), 4),
        "P@20": round(statistics.fmean(each["test"]["precision_at"]["20"] for each in runs), 4),
        "encrypt ms": round(mean("encrypt_ms"), 2),
        "encode ms": round(mean("encode_ms"), 2),
        "cipher bytes": round(mean("cipher_bytes")),
        "feature bytes": round(mean("feature_bytes")),
    }


def _outcomes(schemes: Mapping[str, Sequence[Figures]]) -> dict[str, Any]:
    names = ("seed", "test", "validation_map", "chosen", "candidates", "cpu_minutes")
    return {
        scheme: [{name: each[name] for name in names} for each in runs]
        for scheme, runs in schemes.items()
    }


def _plot(sets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the precision over the first k of every scheme, a panel for each set."""
    return {
        "title": "Precision of the schemes, mean over the keys",
        "panels": [
            {
                "title": name,
                "x": "k (pictures retrieved)",
                "y": "precision",
                "lines": {
                    _title(scheme): _precisions(runs) for scheme, runs in each["schemes"].items()
                },
            }
            for name, each in sets.items()
        ],
    }


def _precisions(runs: Sequence[Figures]) -> list[list[float]]:
    """Return the ranks that there are pictures enough for, and the mean precision at each."""
    found = [each["test"]["precision_at"] for each in runs]
    ranks = [k for k in RANKS if str(k) in found[0]]
    return [
        list(ranks),
        [round(statistics.fmean(each[str(k)] for each in found), 4) for k in ranks],
    ]
