"""Schemes of the literature with a network of their own: EViT, and codes like QSMIH's.

EViT learns from ciphertext without labels, and each test picture ranks the others; codes like
QSMIH's are learned from plain pictures with labels, and the test part searches all the rest.
"""

from typing import Any

from benchmarks.methods.literature import (
    TITLES,
    TRAINED_ON_CIPHERTEXT,
    TRAINED_ON_LABELS,
    comparators,
)
from benchmarks.science.scheme_tables import (
    Comparators,
    Sets,
    across,
    facts,
    measured_sets,
    plots,
    row,
)
from cipherlens.model.config import SplitConfig

PLACE = 11.7

NOTES = """\
Neither paper's table has these rows: EViT is later than E2E and by its authors, QSMIH is of plain
pictures and stands beside our hash networks on [Fashion-MNIST](#fashion-mnist-hash). Both are far
smaller here than their papers' and trained for minutes: `benchmarks/methods/evit.py` and `qsmih.py`
say how. Other schemes are in [methods](#methods) and [hash-methods](#hash-methods).
"""


def run(profile: str) -> dict[str, Any]:
    """Return mAP, precision, times and sizes of each scheme on each set of pictures."""
    return document(measured_sets(profile, of_both))


def of_both(split: SplitConfig, seeds: int) -> Comparators:
    """Return the schemes, each judged as its papers do."""
    return {
        **comparators(TRAINED_ON_CIPHERTEXT, split, seeds),
        **comparators(TRAINED_ON_LABELS, split, seeds, against_rest=True),
    }


def document(sets: Sets) -> dict[str, Any]:
    """Return the document of the measured sets."""
    return {
        "unit": "mAP: mean over the keys",
        **facts(sets),
        "results": {
            TITLES[scheme]: across(scheme, sets)
            for scheme in (*TRAINED_ON_CIPHERTEXT, *TRAINED_ON_LABELS)
        },
        "tables": {
            name: {TITLES[scheme]: row(runs) for scheme, runs in each["schemes"].items()}
            for name, each in sets.items()
        },
        "plots": plots("trained-methods", sets),
    }
