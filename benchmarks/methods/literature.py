"""The schemes that the papers compare with, and what is tried of what had to be guessed."""

from collections.abc import Mapping

from benchmarks.methods.comparator import Comparator, Scheme
from benchmarks.methods.evit import EViT
from benchmarks.methods.li import Li
from benchmarks.methods.liang import Liang
from benchmarks.methods.qin import Qin
from benchmarks.methods.qsmih import QSMIH
from benchmarks.methods.wang import Wang
from benchmarks.methods.xia_ac import XiaAC
from benchmarks.methods.xia_boew import XiaBOEW
from benchmarks.methods.xia_colour import XiaCSD, XiaSCD
from benchmarks.methods.xia_lbp import XiaLBP
from benchmarks.methods.xu import Xu
from benchmarks.methods.zhang import Zhang
from cipherlens.model.config import SplitConfig

Schemes = Mapping[str, tuple[Scheme, ...]]
"""The candidates of each scheme, by its name."""

OF_CIPHERTEXT: Schemes = {
    "zhang": (Zhang(limit=4), Zhang(limit=8), Zhang(limit=16)),
    "li": (Li(limit=4), Li(limit=8), Li(limit=16)),
    "liang": (Liang(quality=50), Liang(quality=75), Liang(quality=90)),
    "xia-ac": (XiaAC(quality=50), XiaAC(quality=75), XiaAC(quality=90)),
    "xia-boew": (
        XiaBOEW(side=8, words=128),
        XiaBOEW(side=8, words=256),
        XiaBOEW(side=16, words=256),
    ),
    "xu": (Xu(clear=32, words=128), Xu(clear=32, words=256), Xu(clear=32, words=512)),
    "wang": (Wang(words=128), Wang(words=256), Wang(words=512)),
    "xia-lbp": (
        XiaLBP(side=12, words=128),
        XiaLBP(side=24, words=128),
        XiaLBP(side=24, words=256),
    ),
}
"""Schemes whose servers make the features of ciphertext, as E2E's Table II has them."""

OF_OWNERS: Schemes = {
    "xia-csd": (XiaCSD(cells=64), XiaCSD(cells=128), XiaCSD(cells=256)),
    "xia-scd": (XiaSCD(),),
    "qin": (Qin(words=128, bits=256), Qin(words=256, bits=256), Qin(words=512, bits=256)),
}
"""Schemes whose owners make the features of plain pictures, as DLHEIR has them."""

TRAINED_ON_CIPHERTEXT: Schemes = {"evit": (EViT(epochs=8),)}
TRAINED_ON_LABELS: Schemes = {
    "qsmih-12": (QSMIH(bits=12, epochs=20), QSMIH(bits=12, epochs=60)),
    "qsmih-48": (QSMIH(bits=48, epochs=20), QSMIH(bits=48, epochs=60)),
}
"""Schemes with a network of their own, which take longer."""

TITLES = {
    "zhang": "Zhang [7]",
    "li": "Li [8]",
    "liang": "Liang [9]",
    "xia-ac": "Xia (AC) [10]",
    "xia-boew": "Xia (BOEW) [13]",
    "xu": "Xu [11]",
    "wang": "Wang [14]",
    "xia-lbp": "Xia (LBP) [15]",
    "xia-csd": "Xia (CSD)",
    "xia-scd": "Xia (SCD)",
    "qin": "Qin (SimHash)",
    "evit": "EViT, self-supervised",
    "qsmih-12": "like QSMIH, 12 bits",
    "qsmih-48": "like QSMIH, 48 bits",
}
"""How the tables call each scheme; numbers are those of E2E's references."""


def typical(name: str) -> Scheme:
    """Return the middle one of what is tried of a scheme of ciphertext."""
    candidates = OF_CIPHERTEXT[name]
    return candidates[len(candidates) // 2]


def comparators(
    schemes: Schemes, split: SplitConfig, seeds: int, *, against_rest: bool = False
) -> dict[tuple[str, int], Comparator]:
    """Return each scheme under the key of each seed."""
    return {
        (name, seed): Comparator(
            scheme=name,
            candidates=candidates,
            seed=seed,
            split=split,
            against_rest=against_rest,
        )
        for name, candidates in schemes.items()
        for seed in range(seeds)
    }
