"""The schemes that the E2E paper's Table II compares with, and what is tried of what is guessed."""

from benchmarks.methods.comparator import Comparator, Scheme
from benchmarks.methods.li import Li
from benchmarks.methods.liang import Liang
from benchmarks.methods.xia_ac import XiaAC
from benchmarks.methods.zhang import Zhang
from cipherlens.model.config import SplitConfig

CIPHER_SCHEMES: dict[str, tuple[Scheme, ...]] = {
    "zhang": (Zhang(limit=4), Zhang(limit=8), Zhang(limit=16)),
    "li": (Li(limit=4), Li(limit=8), Li(limit=16)),
    "liang": (Liang(quality=50), Liang(quality=75), Liang(quality=90)),
    "xia-ac": (XiaAC(quality=50), XiaAC(quality=75), XiaAC(quality=90)),
}
"""Schemes whose servers make the features: the candidates of each."""


def comparators(split: SplitConfig, seeds: int) -> dict[tuple[str, int], Comparator]:
    """Return each scheme under the key of each seed, judged as E2E's networks are."""
    return {
        (name, seed): Comparator(scheme=name, candidates=candidates, seed=seed, split=split)
        for name, candidates in CIPHER_SCHEMES.items()
        for seed in range(seeds)
    }
