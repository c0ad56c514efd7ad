"""Whether the position embeddings of a network trained under one key tell the order of blocks."""

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.pictures import fashion_mnist
from benchmarks.harness.places import CONFIGS
from benchmarks.harness.progress import say
from benchmarks.leakage.owner import Owner
from benchmarks.leakage.position_embeddings import (
    adjacency,
    embeddings_of,
    layout,
    likeness,
    neighbours_laid,
    neighbours_read,
)
from benchmarks.leakage.trials.trial import REACHED, WITHOUT, Pictures, Rows, Trial, spread, titled
from benchmarks.methods.cases import Case
from cipherlens.model.config import SplitConfig, TrainConfig
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.training.train import train

KEYS = {"quick": 1, "full": 2}
LEARNT = {"quick": (1000, 2), "full": (4000, 10)}
"""Pictures of Fashion-MNIST's training part, and epochs."""

SIZE, BLOCK, SIDE = 32, 4, 8
SHARES = (Fraction(0), Fraction(1, 4), Fraction(1))
READ, LAID = "neighbours among the most alike", "neighbours in the layout"


def run(_pictures: Pictures, profile: str) -> Trial:
    """Return how many neighbours the embeddings tell: their pictures are Fashion-MNIST's."""
    count, epochs = LEARNT[profile]
    learnt = _drawn(fashion_mnist(SIZE), count)
    rounds = [
        {"case": titled(case), "seed": seed, **_round(learnt, case, epochs, seed)}
        for case in [Case(block_size=BLOCK, share=share) for share in SHARES]
        for seed in range(KEYS[profile])
    ]
    table = _table(rounds)
    return Trial(
        headline={
            f"neighbours read from position embeddings: Fashion-MNIST, {row}": {
                REACHED: columns[READ],
                WITHOUT: columns["chance"],
            }
            for row, columns in table.items()
        },
        tables={f"Position embeddings after {epochs} epochs of {count} pictures": table},
        rounds=rounds,
        seeds=f"{KEYS[profile]} keys, each with a training of its own",
    )


def _drawn(data: PreparedImages, count: int) -> PreparedImages:
    """Return so many pictures of those that are not the makers' test part."""
    rest = np.arange(len(data)) if data.held_out is None else np.flatnonzero(~data.held_out)
    return data.take(np.random.default_rng(0).permutation(rest)[:count])


def _round(data: PreparedImages, case: Case, epochs: int, seed: int) -> dict[str, float]:
    owner = Owner(case.parameters(SIZE, SIZE), seed)
    say(f"position embeddings: {titled(case)}, key {seed}")
    with TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "network.safetensors"

        def encryptor(images: Pixels, _generator: np.random.Generator) -> Pixels:
            return owner.seen(images)

        train(_settings(epochs, seed), data, encryptor, None, checkpoint)
        embeddings = embeddings_of(checkpoint, SIDE**2)
    _, truth = owner.encrypt(np.stack(data.images[:1]))
    return told_by(embeddings, truth.permutation[0])


def told_by(embeddings: NDArray[np.floating], order: NDArray[np.intp]) -> dict[str, float]:
    """Return how many neighbours the embeddings of 8x8 places tell.

    Args:
        embeddings: (64, dim).
        order: (64,); where in the pictures the block at each place came from.
    """
    alike = likeness(embeddings)
    near = adjacency(SIDE, SIDE)[np.ix_(order, order)]
    return {
        READ: neighbours_read(alike, near),
        LAID: neighbours_laid(layout(alike, SIDE, SIDE), near),
        "chance": float(near.sum() / near.size),
    }


def _settings(epochs: int, seed: int) -> TrainConfig:
    """Return those of the kept network of one key, but smaller, with blocks of 4x4."""
    config = TrainConfig.from_toml(CONFIGS / "fashion-mnist-e2e.toml")
    network = replace(
        config.network, patch_size=BLOCK, dim=96, depth=3, heads=4, embedding="linear"
    )
    split = SplitConfig(validation=0.0, test=0.0, seed=0)
    return replace(config, network=network, split=split, epochs=epochs, seed=seed)


def _table(rounds: list[dict[str, Any]]) -> Rows:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in rounds:
        for name in (READ, LAID, "chance"):
            values[each["case"]][name].append(each[name])
    return {
        row: {column: spread(found) for column, found in columns.items()}
        for row, columns in values.items()
    }
