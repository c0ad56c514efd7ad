"""Networks that a table needs: each trains once, goes on where it was stopped, is judged once.

A training is known by a digest of all that decides it. Its checkpoint stays below `build/trained`;
its figures, log included, are kept in `results/trainings`, so that a table can be made again
without it. The test part of the data is touched when the training is over, never before.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar

import torch

from benchmarks.kept import RESULTS
from benchmarks.machine import environment
from cipherlens.base import CipherProfile, replace_file
from cipherlens.model.config import HashTrainConfig, TrainConfig
from cipherlens.model.data.encryption import Encryptor, plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.train import train

CHECKPOINTS = Path(__file__).parents[1] / "build" / "trained"
FIGURES = RESULTS / "trainings"
AT_ONCE = 1 if torch.cuda.is_available() else len(os.sched_getaffinity(0))
"""Trainings that run beside each other: one with all there is on a GPU, else one for each core."""

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """One network of a table.

    `encryptor` makes what it is trained on and `judge`, if it is another, what it is judged on;
    `profile` is what the images of either claim, None for plain ones.
    """

    name: str
    config: TrainConfig | HashTrainConfig
    encryptor: Encryptor = plain
    judge: Encryptor | None = None
    profile: CipherProfile | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A checkpoint, and the figures of its training and of its test, JSON-able."""

    checkpoint: Path
    figures: dict[str, Any]


def figures_of(training: Training, data: PreparedImages) -> dict[str, Any]:
    """Return a training's figures, from an earlier run if there was one anywhere."""
    kept = _kept(training, data)
    if not kept.exists():
        return trained(training, data).figures
    figures: dict[str, Any] = json.loads(kept.read_text())
    return figures


def all_figures(
    trainings: Mapping[Key, Training], data: PreparedImages
) -> dict[Key, dict[str, Any]]:
    """Return the figures of many trainings, of which several run at once, a thread each.

    Networks of these sizes use two cores far better as two trainings than as one. After one
    that fails no other starts; each goes on where it was when it is asked for again.
    """
    missing = [each for each in trainings.values() if not _kept(each, data).exists()]
    if min(len(missing), AT_ONCE) > 1:
        _train_at_once(missing, data)
    return {key: figures_of(each, data) for key, each in trainings.items()}


def _train_at_once(trainings: list[Training], data: PreparedImages) -> None:
    pool = ProcessPoolExecutor(
        min(len(trainings), AT_ONCE),
        mp_context=get_context("spawn"),
        initializer=_prepare_worker,
        initargs=(CHECKPOINTS, FIGURES),
    )
    try:
        for under_way in [pool.submit(figures_of, each, data) for each in trainings]:
            under_way.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_worker(checkpoints: Path, figures: Path) -> None:
    """Keep what is trained where the parent does, with the one core that is left for it."""
    global CHECKPOINTS, FIGURES
    CHECKPOINTS, FIGURES = checkpoints, figures
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when its parent has died: nobody waits for what it trains."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def trained(training: Training, data: PreparedImages) -> Trained:
    """Return the trained network and its figures, from an earlier run as far as that got here."""
    kept = _kept(training, data)
    checkpoint = CHECKPOINTS / f"{kept.stem}.safetensors"
    under_way = checkpoint.with_name(checkpoint.name + ".state").exists()
    if under_way or not (kept.exists() and checkpoint.exists()):
        CHECKPOINTS.mkdir(parents=True, exist_ok=True)
        FIGURES.mkdir(parents=True, exist_ok=True)
        figures = _figures(training, data, checkpoint)
        replace_file(kept, (json.dumps(figures, indent=2, allow_nan=False) + "\n").encode())
    return Trained(checkpoint=checkpoint, figures=json.loads(kept.read_text()))


def _figures(training: Training, data: PreparedImages, checkpoint: Path) -> dict[str, Any]:
    def tell(report: EpochReport) -> None:
        line = f"{training.name}: epoch {report.epoch} of {training.config.epochs}"
        score = "" if report.validation_map is None else f", mAP {report.validation_map:.4f}"
        print(f"{line}, loss {report.loss:.4f}{score}, {report.seconds:.0f} s", file=sys.stderr)

    result = train(
        training.config,
        data,
        training.encryptor,
        training.profile,
        checkpoint,
        progress=tell,
        device="auto",
    )
    started = time.monotonic()
    judge = training.judge or training.encryptor
    found = evaluate_checkpoint(checkpoint, data, judge, device="auto")
    return {
        **environment(),
        "test": {
            "map": found.mean_average_precision,
            "chance": found.chance,
            "precision_at": found.precision_at,
            "precision_at_recall": [round(each, 5) for each in found.precision_at_recall],
            "queries": found.queries,
            "seconds": round(time.monotonic() - started, 1),
        },
        "validation_map": result.validation_map,
        "best_epoch": result.best_epoch,
        "minutes": round(sum(each.seconds for each in result.history) / 60, 1),
        "cpu_minutes": round(sum(each.cpu_seconds for each in result.history) / 60, 1),
        "config": training.config.to_dict(),
        "data_digest": data.digest(),
        "profile": None if training.profile is None else training.profile.to_dict(),
        "log": [asdict(each) for each in result.history],
    }


def _kept(training: Training, data: PreparedImages) -> Path:
    """Return where a training's figures are kept, named by the digest."""
    profile = None if training.profile is None else training.profile.to_dict()
    facts = [training.config.to_dict(), profile, data.digest()]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return FIGURES / f"{training.name}-{digest[:12]}.json"
