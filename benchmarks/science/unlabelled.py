"""The shipped network on pictures and classes that no training has seen, under any key.

Three sets of fresh keys at M = 1/4, one at the others. Beside it stands what a colour histogram,
HOG and the teacher reach on the plain pictures, and a histogram of gradients on the
cipher-images. A picture that is stored under one key and asked for under another should come first:
among 500 pictures, and among 10,000.
"""

import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.harness.pictures import described
from benchmarks.harness.places import ROOT
from benchmarks.harness.progress import say
from benchmarks.science.unseen import others, seen_classes, unseen
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.checkpoint import read_configuration
from cipherlens.model.config import DistillConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor, plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.evaluation.evaluate_collection import (
    CollectionEvaluation,
    embedded,
    encrypted,
    evaluate_collection,
    identical_first,
)
from cipherlens.model.training.teacher import Teacher

PLACE = 4.7

NOTES = """
Targets: of the teacher's mAP above chance at least .70 at M = 1/4; of the plain colour
histogram's mAP 1.3 times, of plain HOG's 1.0 times; the identical picture first among 500 in .97
and among 10,000 in .90. Icons are of a source new to the network; other drawings of OpenClipart,
other pictures of the packages that have the photographs and other pictures of Fashion-MNIST were
among those that it learnt from, without labels. On icons the teacher itself is poor, which lifts
the first mean: without them it is .886. The means are over the four unseen sets, each counting
alike. The network is that of keys with M = 1/4; what it makes of cipher-images with more
substituted blocks, for which it was not made, is shown too. Where labels were for classes, the same
stages find their drawings with .42: see [labelled-head](#labelled-head).
"""

MODEL = ROOT / "demo" / "model.safetensors"
SETTINGS = ROOT / "demo" / "distil.toml"
DRAWS = {"quick": 2, "full": 3}
STORED = {"quick": (500,), "full": (500, 10_000)}
SHARES = {"1/4": 24, "3/4": 72, "all": 96}
MADE_FOR = "1/4"
"""The share that the network was made for, the only one of "quick"; at the others one set of keys
judges."""

COLOURS = "colour histogram of the plain pictures"
HOG = "gradients in cells of the plain pictures (HOG)"


def run(profile: str) -> dict[str, Any]:
    """Return the figures of every set at every share of substituted blocks."""
    return measure(MODEL, profile)


def measure(model: Path, profile: str) -> dict[str, Any]:
    """Return the document of a checkpoint's figures."""
    size, shares = _parameters(0), _shares(profile)
    sets = {**unseen(size), "drawings of seen classes": seen_classes(size)}
    embedder = Embedder(model, "cpu")
    taught = _taught(sets)
    found = {
        (name, share): _judged(embedder, images, blocks, DRAWS[profile] if share == MADE_FOR else 1)
        for share, blocks in shares.items()
        for name, images in sets.items()
    }
    first = _identical(embedder, sets, shares, STORED[profile])
    return {
        "data": ", ".join(f"{name}: {len(images)}" for name, images in sets.items()),
        "pictures": [described(name, images) for name, images in sets.items()],
        "seed": f"{DRAWS[profile]} sets of fresh sequences at M = {MADE_FOR}, one at the others",
        "model": {"digest": embedder.digest, "training": dict(_training(model))},
        "rounds": [_round(*key, each) for key, each in found.items()],
        "results": {
            f"{name}, M = {share}": _row(each, taught[name])
            for (name, share), each in found.items()
        },
        "tables": {"The identical picture comes first": first},
        "ratios": _ratios(found, taught, first),
    }


def _shares(profile: str) -> dict[str, int]:
    return {MADE_FOR: SHARES[MADE_FOR]} if profile == "quick" else SHARES


def _parameters(blocks: int) -> CipherParameters:
    return CipherParameters(block_size=16, substituted_blocks=blocks, scope=Scope.IMAGE)


def _training(model: Path) -> Mapping[str, Any]:
    return read_configuration(model).training


def _judged(
    embedder: Embedder, images: PreparedImages, blocks: int, draws: int
) -> CollectionEvaluation:
    say(f"{len(images)} pictures at M = {blocks}")
    encryptor = AnyKeyEncryptor(_parameters(blocks))
    return evaluate_collection(embedder.embed, images, encryptor, draws=draws)


def _taught(sets: Mapping[str, PreparedImages]) -> dict[str, float]:
    """Return the teacher's mAP on the plain pictures of every set."""
    teacher = Teacher(DistillConfig.from_toml(SETTINGS), torch.device("cpu"))
    return {
        name: evaluate_collection(teacher.vectors, images, plain, draws=1)
        .draws[0]
        .mean_average_precision
        for name, images in sets.items()
    }


def _identical(
    embedder: Embedder,
    sets: Mapping[str, PreparedImages],
    shares: Mapping[str, int],
    stored: tuple[int, ...],
) -> dict[str, dict[str, float]]:
    """Return how often a picture finds itself first, by the share of substituted blocks."""
    whole = _pool(sets, max(stored))
    queries = whole.take(np.arange(min(stored)))
    rows = {}
    for share, blocks in shares.items():
        encryptor = AnyKeyEncryptor(_parameters(blocks))
        counts = stored if share == MADE_FOR else stored[:1]
        pool = whole.take(np.arange(max(counts)))
        kept = embedded(embedder.embed, encrypted(pool, encryptor, 0))
        asked = embedded(embedder.embed, encrypted(queries, encryptor, 1))
        rows[f"M = {share}"] = {
            f"among {count}": round(identical_first(asked, kept[:count]), 4) for count in counts
        }
    return rows


def _pool(sets: Mapping[str, PreparedImages], count: int) -> PreparedImages:
    """Return pictures in a random order that begins with those of the unseen sets."""
    parts = [images for name, images in sets.items() if name != "drawings of seen classes"]
    images = [image for each in parts for image in each.images]
    order = np.random.default_rng(3).permutation(len(images))
    pool = [images[place] for place in order]
    pool += others(_parameters(0), count - len(pool), pool) if count > len(pool) else []
    return replace(
        parts[0],
        images=tuple(pool[:count]),
        labels=np.zeros(len(pool[:count]), dtype=np.int64),
        names=tuple(map(str, range(len(pool[:count])))),
        class_names=("",),
    )


def _round(name: str, share: str, found: CollectionEvaluation) -> dict[str, Any]:
    return {
        "set": name,
        "share": share,
        "map": [each.mean_average_precision for each in found.draws],
        "chance": found.draws[0].chance,
        "identical_first": list(found.identical_first),
        "baselines": dict(found.baselines),
    }


def _row(found: CollectionEvaluation, taught: float) -> dict[str, Any]:
    scores = [each.mean_average_precision for each in found.draws]
    chance = found.draws[0].chance
    return {
        "mAP": round(statistics.fmean(scores), 3),
        "lowest": round(min(scores), 3),
        "highest": round(max(scores), 3),
        "chance": round(chance, 3),
        "gradients, cipher": round(found.baselines["gradient histogram of the cipher-images"], 3),
        "colours, plain": round(found.baselines[COLOURS], 3),
        "HOG, plain": round(found.baselines[HOG], 3),
        "teacher, plain": round(taught, 3),
        "of the teacher's above chance": round(_above(found, taught), 3),
    }


def _above(found: CollectionEvaluation, taught: float) -> float:
    """Return mAP above chance over the teacher's above chance."""
    chance = found.draws[0].chance
    scores = [each.mean_average_precision for each in found.draws]
    return (statistics.fmean(scores) - chance) / (taught - chance)


def _ratios(
    found: Mapping[tuple[str, str], CollectionEvaluation],
    taught: Mapping[str, float],
    first: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, Any]]:
    """Return what was asked for beside what came of it, at M = 1/4."""
    judged = {name: each for (name, share), each in found.items() if share == MADE_FOR}
    seen = statistics.fmean(
        each.mean_average_precision for each in judged.pop("drawings of seen classes").draws
    )
    maps = {
        name: statistics.fmean(draw.mean_average_precision for draw in each.draws)
        for name, each in judged.items()
    }

    def over(baseline: str) -> float:
        return statistics.fmean(
            maps[name] / each.baselines[baseline] for name, each in judged.items()
        )

    above = statistics.fmean(_above(each, taught[name]) for name, each in judged.items())
    reached: dict[str, tuple[float, float]] = {
        "mAP above chance over the teacher's": (above, 0.70),
        "mAP over the plain colour histogram's": (over(COLOURS), 1.3),
        "mAP over plain HOG's": (over(HOG), 1.0),
        "mAP on drawings of seen classes": (seen, 0.38),
        **{
            f"the identical picture first, {words}": (
                value,
                0.90 if words == "among 10000" else 0.97,
            )
            for words, value in first[f"M = {MADE_FOR}"].items()
        },
    }
    return {
        name: {"reached": round(value, 3), "asked": asked}
        for name, (value, asked) in reached.items()
    }
