"""Schemes measured on sets of pictures, and the tables and plots of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.harness.pictures import described
from benchmarks.harness.places import RESULTS, ROOT
from benchmarks.harness.progress import say
from benchmarks.harness.registry import PAPER, TRY
from benchmarks.methods import corel10k
from benchmarks.methods.comparator import Comparator
from benchmarks.methods.figures import Figures, Store, all_figures, test_map, validation_map
from benchmarks.methods.literature import TITLES
from benchmarks.methods.method import RANKS
from benchmarks.science.labelled import Labelled, labelled_sets
from benchmarks.science.panels import precision_recall, spread_panel
from cipherlens.model.config import SplitConfig

SEEDS = {"quick": 1, "full": 3, PAPER: 3, TRY: 1}
STORES = {
    "quick": Store(figures=ROOT / "build" / "methods"),
    "full": Store(figures=RESULTS / "methods"),
    PAPER: Store(figures=RESULTS / "methods"),
    TRY: corel10k.STORES[TRY],
}

Sets = Mapping[str, Mapping[str, Any]]
"""What was measured of each set of pictures."""

Comparators = Mapping[tuple[str, int], Comparator]
"""By scheme and seed."""


def measured_sets(
    profile: str, comparators_of: Callable[[SplitConfig, int], Comparators]
) -> dict[str, dict[str, Any]]:
    """Return what is kept of every set of a profile that is here."""
    sets = {}
    for name, load in labelled_sets(profile).items():
        say(f"{name}: preparing the pictures")
        if (found := load()) is not None:
            methods = comparators_of(found.split, SEEDS[profile])
            sets[name] = measured(found, methods, STORES[profile])
        else:
            say(f"{name}: not here")
    return sets


def measured(pictures: Labelled, methods: Comparators, store: Store) -> dict[str, Any]:
    """Return what is kept of one set: its facts, and the figures of each scheme and seed."""
    figures = all_figures(methods, pictures.data, store)
    return {
        "pictures": described("", pictures.data),
        "schemes": {
            scheme: [figures[name, seed] for name, seed in methods if name == scheme]
            for scheme in dict.fromkeys(name for name, _ in methods)
        },
    }


def facts(sets: Sets) -> dict[str, Any]:
    """Return what the raw figures say of the sets."""
    runs = max(len(each) for found in sets.values() for each in found["schemes"].values())
    return {
        "data": "; ".join(_words(name, each["pictures"]) for name, each in sets.items()),
        "seed": f"keys of the seeds 0 to {runs - 1}",
        "sets": {
            name: {"pictures": each["pictures"], "schemes": _outcomes(each["schemes"])}
            for name, each in sets.items()
        },
    }


def across(scheme: str, sets: Sets) -> dict[str, float]:
    """Return a scheme's mean mAP on each set."""
    return {
        name: round(statistics.fmean(map(test_map, each["schemes"][scheme])), 4)
        for name, each in sets.items()
    }


def row(runs: Sequence[Figures]) -> dict[str, Any]:
    """Return a scheme's row on one set: means over the keys, and the spread of the mAP."""
    maps = [test_map(each) for each in runs]
    return {
        "mAP": round(statistics.fmean(maps), 4),
        "lowest": round(min(maps), 4),
        "highest": round(max(maps), 4),
        "random order": round(runs[0]["test"]["chance"], 4),
        "validation": round(statistics.fmean(map(validation_map, runs)), 4),
        "P@20": round(precision_at(runs, 20), 4),
        "encrypt ms": round(_mean(runs, "encrypt_ms"), 2),
        "encode ms": round(_mean(runs, "encode_ms"), 2),
        "cipher bytes": round(_mean(runs, "cipher_bytes")),
        "feature bytes": round(_mean(runs, "feature_bytes")),
    }


def precision_at(runs: Sequence[Figures], k: int) -> float:
    """Return the mean precision over the first k."""
    return statistics.fmean(each["test"]["precision_at"][str(k)] for each in runs)


def plots(name: str, sets: Sets) -> dict[str, Any]:
    """Return the plots of every scheme, a panel for each set: precision over k, and over recall.

    A line is the mean over the keys, with its spread.
    """
    over_k = [
        spread_panel(
            title,
            "k (pictures retrieved)",
            "precision",
            {TITLES[scheme]: _precisions(runs) for scheme, runs in each["schemes"].items()},
        )
        for title, each in sets.items()
    ]
    by_scheme = {
        title: {TITLES[scheme]: runs for scheme, runs in each["schemes"].items()}
        for title, each in sets.items()
    }
    return {
        name: {"title": "Precision, mean over the keys", "panels": over_k},
        f"{name}-recall": precision_recall("Precision and recall, mean over the keys", by_scheme),
    }


def _precisions(runs: Sequence[Figures]) -> dict[float, list[float]]:
    """Return by rank, where there are pictures enough for it, each key's precision."""
    found = [each["test"]["precision_at"] for each in runs]
    return {k: [each[str(k)] for each in found] for k in RANKS if str(k) in found[0]}


def _mean(runs: Sequence[Figures], name: str) -> float:
    return statistics.fmean(each[name] for each in runs)


def _words(name: str, pictures: Mapping[str, Any]) -> str:
    return f"{name}: {pictures['pictures']} pictures in {pictures['classes']} classes"


def _outcomes(schemes: Mapping[str, Sequence[Figures]]) -> dict[str, Any]:
    names = ("seed", "decided_by", "test", "validation_map", "chosen", "candidates", "cpu_minutes")
    return {
        scheme: [{name: each[name] for name in names} for each in runs]
        for scheme, runs in schemes.items()
    }
