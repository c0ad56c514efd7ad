"""Hash networks on Fashion-MNIST: the 10,000 test images query the 60,000 others by Hamming.

Beside each figure stands the one that QSMIH reports for plain images and codes of that length.
"""

from dataclasses import replace
from typing import Any

from benchmarks.fashion_mnist_e2e import CONFIGS, fashion_mnist
from benchmarks.training import Training, all_figures
from cipherlens.model.config import HashTrainConfig

QSMIH = {12: 0.842, 24: 0.873, 36: 0.863, 48: 0.860}
BITS = (12, 24, 32, 48)
QUICK = {"epochs": 1, "warmup_epochs": 0}

NOTES = """\
The hash layer and its loss are DLHEIR's, the network before it is a small residual one, from random
weights, on pictures scaled to 48x48. The 60,000 that are searched are those of the training, its
validation part included, as is the custom with this measure. Equal distances count as the mean over
their orders. QSMIH has 36 bits where we have DLHEIR's 32.
"""


def run(profile: str) -> dict[str, Any]:
    """Return the mAP of each length of code."""
    trainings = hash_trainings(profile)
    data = fashion_mnist(next(iter(trainings.values())).config.network.height)
    figures = all_figures(trainings, data)
    return {
        "data": "Fashion-MNIST, 10,000 queries over 60,000",
        "trainings": figures,
        "results": {f"{bits} bits": _row(bits, each) for bits, each in figures.items()},
    }


def hash_trainings(profile: str) -> dict[int, Training]:
    """Return the training of each length of code."""
    config = HashTrainConfig.from_toml(CONFIGS / "fashion-mnist-hash.toml")
    if profile == "quick":
        config = replace(config, **QUICK)
    return {
        bits: Training(
            name=f"fashion-mnist-hash-{bits}",
            config=replace(config, network=replace(config.network, bits=bits)),
        )
        for bits in BITS
    }


def _row(bits: int, figures: dict[str, Any]) -> dict[str, Any]:
    return {
        "mAP": round(figures["test"]["map"], 4),
        "QSMIH": QSMIH.get(bits, ""),
        "P@20": round(figures["test"]["precision_at"]["20"], 4),
        "epochs": len(figures["log"]),
        "CPU minutes": figures["cpu_minutes"],
    }
