"""The demo's network on cipher-images beside its plain twin, over several seeds.

A seed decides split, initial weights, batches and key. The epoch is chosen on the validation part;
the test part is touched once per training.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import key_bound
from benchmarks.outcome import outcome, test_map
from benchmarks.pictures import described, samples
from benchmarks.training import Training, all_figures
from cipherlens.crypto import CipherParameters
from cipherlens.model.config import TrainConfig
from cipherlens.model.data.images import PreparedImages

CONFIG = Path(__file__).parents[1] / "demo" / "one-key.toml"
SEEDS = {"quick": range(1), "full": range(5)}
PARAMETERS = CipherParameters(height=128, width=192, block_size=16, substituted_blocks=24)


def run(profile: str) -> dict[str, Any]:
    """Return each training's figures, and the means over the seeds with their ratio."""
    return measure(TrainConfig.from_toml(CONFIG), samples(PARAMETERS), SEEDS[profile])


def measure(config: TrainConfig, data: PreparedImages, seeds: Sequence[int]) -> dict[str, Any]:
    """Return the document of the seeds; what was trained before is not trained again."""
    figures = all_figures(_trainings(config, seeds), data)
    scores = {
        name: np.array([test_map(figures[seed, name]) for seed in seeds])
        for name in ("cipher", "plain")
    }
    chance = float(np.mean([figures[seed, "cipher"]["test"]["chance"] for seed in seeds]))
    return {
        "data": f"demo/samples: {len(data)} pictures in {len(data.class_names)} categories",
        "pictures": described("demo/samples", data),
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


def _trainings(config: TrainConfig, seeds: Sequence[int]) -> dict[tuple[int, str], Training]:
    """Return for each seed a network of cipher-images and its plain twin."""
    trainings = {}
    for seed in seeds:
        seeded = replace(config, seed=seed, split=replace(config.split, seed=seed))
        trainings[seed, "cipher"] = key_bound(f"demo-cipher-{seed}", seeded, PARAMETERS)
        trainings[seed, "plain"] = Training(name=f"demo-plain-{seed}", config=seeded)
    return trainings
