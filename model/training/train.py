"""The training of a network: seeded, resumable, chosen on held-out images only."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cipherlens.base import CipherProfile
from cipherlens.model.config import AnyTrainConfig
from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.training.distributed import ALONE, Processes, joined
from cipherlens.model.training.run import Run
from cipherlens.model.training.state import EpochReport


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    """A finished training: the checkpoint's epoch and validation mAP, and all epochs' reports.

    Epoch 0 is what a distillation begins with, where no epoch has made it better.
    """

    checkpoint: Path
    best_epoch: int
    validation_map: float | None
    history: tuple[EpochReport, ...]


def train(
    config: AnyTrainConfig,
    data: PreparedImages,
    encryptor: Encryptor,
    profile: CipherProfile | None,
    out: Path,
    *,
    progress: Callable[[EpochReport], None] = lambda _report: None,
    taught: Callable[[int, int], None] = lambda _done, _all: None,
    resumed: Callable[[int], None] = lambda _epoch: None,
    device: str = "cpu",
    processes: Processes = ALONE,
    workers: int = 0,
    save_minutes: float = 10.0,
) -> TrainResult:
    """Train on the training part of plain `data` and write the best checkpoint to `out`.

    A distillation needs no labels. The best epoch is the one with the highest validation mAP, or
    the last where the split has no validation part. Beside `out` stand its log, a JSON object per
    epoch, and until the end the training state, with what a teacher, or the stages under a head
    alone, made of the pictures: after an interruption the same call goes on where the state was
    saved last.
    The same seed gives the same losses on the same machine with the same number of threads.

    Several processes make the same call, each with the same data; the first one writes. To float
    tolerance their losses are those of one, but for the blocks that `drop_path` drops.

    Args:
        config: the settings, which choose the kind of network; its height, width and classes are
            taken from the data.
        data: all prepared images; `config.split` parts them.
        encryptor: makes of plain images what the network sees; `plain` for a hash network.
        profile: what the encryptor's images say of themselves; None for plain images.
        out: the checkpoint file.
        progress: called in the first process with each epoch's report, once the epoch is saved.
        taught: called with the number of pictures that a teacher, or the stages under a head, have
            seen, and of all; before the first epoch.
        resumed: called with the number of the epoch with which an interrupted training goes on.
        device: "cpu", "cuda:N" or "auto".
        processes: this process's place among those that train, as `launched` returns it.
        workers: processes beside this one that change and encrypt pictures; the result is the same
            for any number.
        save_minutes: the state is saved at the end of each epoch, and within one when so much
            time has gone by.

    Raises:
        DataError: if a class has too few images, or a process has other data than the first.
        ResumeError: if the state beside `out` belongs to another training.
        TrainingDiverged: if the loss is no longer a number.
        ProcessLost: if another process has ended.
        ValueError: if the network does not fit the profile, or the device is not here.
    """
    run = Run(
        config,
        data,
        encryptor,
        profile,
        out,
        processes.device(device),
        processes,
        workers,
        save_minutes,
    )
    with joined(processes, run.device):
        run.prepare(taught)
        state = run.start()
        if state.history or state.partial.steps:
            resumed(len(state.history) + 1)
        else:
            run.begin(state)
        step = run.steps.step(state.network, state.optimizer)
        while not run.finished(state):
            report = run.epoch(state, step)
            if processes.first:
                run.save(state)
                progress(report)
        if processes.first:
            run.forget()
    best = run.best(state)
    return TrainResult(
        checkpoint=out,
        best_epoch=best[0],
        validation_map=best[1],
        history=tuple(state.history),
    )
