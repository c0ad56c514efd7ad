"""The demo's network on cipher-images beside its plain twin, over several seeds.

A seed decides split, initial weights, batches and key. The epoch is chosen on the validation part;
the test part is touched once per training. Each training's figures are kept as soon as they are
there, so that an interrupted run goes on where it was.
"""

import json
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cipherlens.crypto import CipherParameters, KeyEntry
from cipherlens.model.config import TrainConfig
from cipherlens.model.data import PreparedImages, list_folder, load_prepared
from cipherlens.model.encryption import Encryptor, KeyEncryptor, plain
from cipherlens.model.evaluate import evaluate_checkpoint
from cipherlens.model.profile import CipherProfile
from cipherlens.model.train import train

DEMO = Path(__file__).parents[1] / "demo"
# Raw figures of single trainings, by the digest of all that decides them.
CACHE = Path(__file__).parents[1] / "build" / "demo-seeds"
SEEDS = {"quick": range(1), "full": range(5)}
PARAMETERS = CipherParameters(height=128, width=192, block_size=16, substituted_blocks=24)


def run(profile: str) -> dict[str, Any]:
    """Return each training's figures, and the means over the seeds with their ratio."""
    config = TrainConfig.from_toml(DEMO / "train.toml")
    data = load_prepared(list_folder(DEMO / "samples"), PARAMETERS)
    rounds = [_round(config, data, seed) for seed in SEEDS[profile]]
    scores = {
        name: np.array([each[name]["test_map"] for each in rounds]) for name in ("cipher", "plain")
    }
    chance = float(np.mean([each["cipher"]["chance"] for each in rounds]))
    means = {name: float(each.mean()) for name, each in scores.items()}
    return {
        "data": f"demo/samples: {len(data)} pictures in {len(data.class_names)} categories",
        "data_digest": data.digest(),
        "cipher": "128x192, P=16, M=24, scope collection",
        "config": config.to_dict(),
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "chance": chance,
        "cipher_over_plain": round(means["cipher"] / means["plain"], 4),
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


def _round(config: TrainConfig, data: PreparedImages, seed: int) -> dict[str, Any]:
    """Return the figures of one seed: a network of cipher-images and its plain twin."""
    seeded = replace(config, seed=seed, split=replace(config.split, seed=seed))
    root = np.random.default_rng(seed).bytes(32)  # a key of a measurement, never of a person
    entry = KeyEntry(name="seeds", root=root, parameters=PARAMETERS, created_at=datetime.now(UTC))
    encryptor = KeyEncryptor(entry)
    return {
        "seed": seed,
        "cipher": _kept("cipher", seeded, data, encryptor, encryptor.profile),
        "plain": _kept("plain", seeded, data, plain, None),
    }


def _kept(
    name: str,
    config: TrainConfig,
    data: PreparedImages,
    encryptor: Encryptor,
    profile: CipherProfile | None,
) -> dict[str, Any]:
    """Return a training's figures, from the last run if that got so far."""
    identity = json.dumps([name, config.to_dict(), data.digest()], sort_keys=True)
    path = CACHE / f"{name}-{config.seed}.json"
    if path.exists():
        kept: dict[str, Any] = json.loads(path.read_text())
        if kept["identity"] == identity:
            return dict(kept["figures"])
    figures = _training(config, data, encryptor, profile)
    CACHE.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"identity": identity, "figures": figures}))
    print(f"seed {config.seed}, {name}: {json.dumps(figures)}", flush=True)
    return figures


def _training(
    config: TrainConfig, data: PreparedImages, encryptor: Encryptor, profile: CipherProfile | None
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        result = train(config, data, encryptor, profile, Path(folder) / "model.safetensors")
        seconds = time.monotonic() - started
        found = evaluate_checkpoint(result.checkpoint, data, encryptor)
    return {
        "test_map": found.mean_average_precision,
        "test_precision_at": found.precision_at,
        "chance": found.chance,
        "queries": found.queries,
        "validation_map": result.validation_map,
        "best_epoch": result.best_epoch,
        "seconds": round(seconds, 1),
    }
