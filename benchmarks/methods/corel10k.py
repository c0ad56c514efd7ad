"""Corel10K with both papers' numbers: its pictures, the settings, and what trainings start from.

In the environment COREL10K names the folder with 0.jpg to 9999.jpg. Networks start from random
weights and from pretrained ones, one after the other, or from those that WEIGHTS names alone;
PRETRAINED names a folder of safetensors files, called as timm calls the architectures, where timm's
hub cannot be reached. The profile `paper-try` is `paper` with a part of the pictures, for an epoch:
what it finds is worth nothing, and is kept apart.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.harness.errors import NotHereError
from benchmarks.harness.places import CONFIGS, NETWORKS, ROOT, TRIED
from benchmarks.harness.progress import say
from benchmarks.harness.registry import PAPER, TRY
from benchmarks.methods.cases import with_patches
from benchmarks.methods.figures import STORE, Store
from cipherlens.crypto import CipherParameters, PreparedSize
from cipherlens.model.config import HashTrainConfig, TrainConfig
from cipherlens.model.data.data_spec import parse_data_spec
from cipherlens.model.data.decoded import load_decoded
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import PretrainedError
from cipherlens.model.networks.pretrained import TIMM, architecture, weights_of

NAME = "Corel10K"
SIZE = CipherParameters(substituted_blocks=0)
"""E2E's, 128x192."""

SIDES = (384, 224)
"""DLHEIR's."""

RANDOM, PRETRAINED = "random", "pretrained"
PATCHES = (8, 16)

STORES = {
    PAPER: STORE,
    TRY: Store(networks=NETWORKS / "tried", figures=TRIED / "trainings"),
}

_DECODED = ROOT / "build" / "decoded"
_TRY_CLASSES, _TRY_PICTURES, _TRY_EPOCHS = 7, 20, 1
_TRY_PIECES = 8  # of DLHEIR's batches: whole ones take some 15 GiB, as GPUs have

Document = dict[str, Any]

_Config = TypeVar("_Config", TrainConfig, HashTrainConfig)


def e2e(profile: str, backbone: str = "p8") -> TrainConfig:
    """Return the settings of an end-to-end network, "p8", "p16" or "resnet50"."""
    config = TrainConfig.from_toml(CONFIGS / f"corel10k-e2e-{backbone}.toml")
    return _cut(config, profile)


def hashing(profile: str) -> HashTrainConfig:
    """Return DLHEIR's settings."""
    config = _cut(HashTrainConfig.from_toml(CONFIGS / "corel10k-dlheir.toml"), profile)
    return replace(config, pieces=_TRY_PIECES) if profile == TRY else config


def pictures(size: PreparedSize, profile: str) -> PreparedImages:
    """Return a profile's pictures, decoded once for all processes.

    Raises:
        NotHereError: if COREL10K does not name their folder.
        DataError: if what it names is no such folder.
    """
    return _pictures(size.height, size.width, profile)


def facts(profile: str) -> Document:
    """Return what the raw figures say of a profile that is cut."""
    if profile != TRY:
        return {}
    return {
        "cut": f"{_TRY_EPOCHS} epoch, {_TRY_CLASSES} of 100 classes, {_TRY_PICTURES} of the 100 "
        "pictures of each, hash networks' batches in pieces, fewer cases: a try, no measurement"
    }


def starting(config: _Config, start: str) -> _Config:
    """Return the settings with weights of the kind to start from.

    Raises:
        NotHereError: if they cannot be had.
    """
    if start == RANDOM:
        return replace(config, pretrained="")
    folder = os.environ.get("PRETRAINED")
    file = f"{architecture(config.network)}.safetensors"
    config = replace(config, pretrained=str(Path(folder, file)) if folder else TIMM)
    for each in _patched(config):
        _check(each)
    return config


def start() -> str:
    """Return the first of the starts that are wanted: what is not compared needs only one."""
    return _wanted()[0]


def from_all_starts(own: str, prepared: Callable[[str], Callable[[], Document]]) -> Document:
    """Return the document of the weights to start from that are wanted, in one.

    `prepared` returns what measures from one of them; what is missing for any shows before the
    first is measured. Rows, tables, plots and trainings of those that are not the paper's `own` say
    so in their names.
    """
    wanted = _wanted()
    # Weights that cannot be had show sooner than pictures are prepared.
    tasks = {start: prepared(start) for start in sorted(wanted, key=RANDOM.__eq__)}
    whole: Document = {}
    for start in wanted:
        say(f"from {start} weights")
        found = tasks[start]()
        named = found if start == own else _named(found, f"{start} weights")
        for part, content in named.items():
            known = whole.setdefault(part, content)
            if isinstance(known, dict):
                whole[part] = known | content
    return {**whole, "weights": wanted}


def _named(document: Document, start: str) -> Document:
    """Return a document whose rows, tables, plots and trainings are named by a start."""
    found = dict(document)
    for part in ("results", "tables", "trainings", "plain"):
        if part in found:
            found[part] = {f"{name}, {start}": each for name, each in found[part].items()}
    found["plots"] = {
        f"{name}-{start.partition(' ')[0]}": {**plot, "title": f"{plot['title']}, {start}"}
        for name, plot in found["plots"].items()
    }
    return found


@cache
def _pictures(height: int, width: int, profile: str) -> PreparedImages:
    folder = os.environ.get("COREL10K")
    if not folder:
        raise NotHereError(
            "COREL10K names no folder: give that of the pictures 0.jpg to 9999.jpg, as in "
            f"COREL10K=PATH python -m benchmarks all --profile {profile}"
        )
    say(f"preparing {folder} at {height}x{width}")
    size = CipherParameters(height=height, width=width, substituted_blocks=0)
    data = load_decoded(parse_data_spec(f"corel10k:{folder}"), size, _DECODED)
    return _few(data) if profile == TRY else data


def _few(data: PreparedImages) -> PreparedImages:
    """Return the first pictures of the first classes."""
    places = [np.flatnonzero(data.labels == label)[:_TRY_PICTURES] for label in range(_TRY_CLASSES)]
    return replace(data.take(np.concatenate(places)), class_names=data.class_names[:_TRY_CLASSES])


def _cut(config: _Config, profile: str) -> _Config:
    return replace(config, epochs=_TRY_EPOCHS) if profile == TRY else config


def _wanted() -> list[str]:
    """Return the starts that WEIGHTS names, or both.

    Raises:
        NotHereError: if it names another.
    """
    wanted = [each for each in os.environ.get("WEIGHTS", "").split(",") if each]
    for each in wanted:
        if each not in (RANDOM, PRETRAINED):
            raise NotHereError(f"WEIGHTS must be {RANDOM}, {PRETRAINED} or both, got {each!r}")
    return wanted or [RANDOM, PRETRAINED]


def _patched(config: TrainConfig | HashTrainConfig) -> list[TrainConfig | HashTrainConfig]:
    """Return the settings at all sizes of patches whose weights differ."""
    if isinstance(config, TrainConfig) and config.network.backbone == "vit":
        return [with_patches(config, size) for size in PATCHES]
    return [config]


def _check(config: TrainConfig | HashTrainConfig) -> None:
    try:
        weights_of(config.network, config.pretrained)
    except (PretrainedError, OSError) as error:
        raise NotHereError(
            f"{error}. PRETRAINED=FOLDER says where "
            f"{architecture(config.network)}.safetensors is, WEIGHTS={RANDOM} goes without"
        ) from error
