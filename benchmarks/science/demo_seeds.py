"""The demo's network on cipher-images beside its plain twin, over several seeds.

A seed decides split, initial weights, batches and key. The epoch is chosen on the validation part;
the test part is touched once per training.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.harness.pictures import samples
from benchmarks.harness.places import ROOT
from benchmarks.methods.figures import outcome, test_map
from benchmarks.methods.trained_network import TrainedNetwork, key_bound
from benchmarks.science.study import Study
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import TrainConfig

PLACE = 5

CONFIG = ROOT / "demo" / "one-key.toml"
SEEDS = {"quick": range(1), "full": range(5)}
QUICK_PART = 8
"""Of so many epochs it is one."""
PARAMETERS = CipherParameters(
    height=128, width=192, block_size=16, substituted_blocks=24, scope=Scope.COLLECTION
)


def run(profile: str) -> dict[str, Any]:
    """Return each training's figures, and the means over the seeds with their ratio."""
    study = Study(name="demo/samples", data=samples(PARAMETERS))
    config = TrainConfig.from_toml(CONFIG)
    if profile == "quick":
        config = replace(config, epochs=config.epochs // QUICK_PART)
    return measure(study, config, SEEDS[profile])


def measure(study: Study, config: TrainConfig, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the document of the seeds; what was trained before is not trained again."""
    figures = study.figures(networks(config, seeds))
    scores = {
        name: np.array([test_map(figures[seed, name]) for seed in seeds])
        for name in ("cipher", "plain")
    }
    chance = float(np.mean([figures[seed, "cipher"]["test"]["chance"] for seed in seeds]))
    return {
        **study.facts(),
        "seed": ", ".join(map(str, seeds)),
        "cipher": "128x192, P=16, M=24, scope collection",
        "config": config.to_dict(),
        "rounds": [
            {"seed": seed, **{name: outcome(figures[seed, name]) for name in scores}}
            for seed in seeds
        ],
        "chance": chance,
        "cipher_over_plain": round(float(scores["cipher"].mean() / scores["plain"].mean()), 4),
        "results": {
            "on cipher-images": _row(scores["cipher"], chance),
            "plain twin": _row(scores["plain"], chance),
            "random order": {"mAP": round(chance, 4), "over chance": 1.0},
        },
    }


def _row(scores: np.ndarray[Any, Any], chance: float) -> dict[str, Any]:
    return {
        "mAP": round(float(scores.mean()), 4),
        "lowest": round(float(scores.min()), 4),
        "highest": round(float(scores.max()), 4),
        "over chance": round(float(scores.mean()) / chance, 2),
        "seeds": len(scores),
    }


def networks(config: TrainConfig, seeds: Sequence[int]) -> dict[tuple[int, str], TrainedNetwork]:
    """Return for each seed a network of cipher-images and its plain twin."""
    found = {}
    for seed in seeds:
        seeded = replace(config, seed=seed, split=replace(config.split, seed=seed))
        found[seed, "cipher"] = key_bound(f"demo-cipher-{seed}", seeded, PARAMETERS)
        found[seed, "plain"] = TrainedNetwork(name=f"demo-plain-{seed}", config=seeded)
    return found
