"""The training of a network: seeded, resumable, chosen on held-out images only."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cipherlens.model.acceleration import accelerate
from cipherlens.model.augmentation import augment
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.config import HashTrainConfig, LoopConfig, TrainConfig
from cipherlens.model.data import PreparedImages, by_shape, split_images
from cipherlens.model.encryption import Encryptor
from cipherlens.model.errors import DataError
from cipherlens.model.files import replace_file
from cipherlens.model.losses import LossParts
from cipherlens.model.networks import RetrievalNetwork, to_input
from cipherlens.model.precision import autocast, resolve_device, resolve_precision
from cipherlens.model.profile import CipherProfile
from cipherlens.model.recipes import recipe_of
from cipherlens.model.schedule import learning_rate
from cipherlens.model.training_state import EpochReport, TrainingState

# Each epoch seeds one generator per purpose: a resumed training draws what an unbroken one would,
# and the plain twin sees the batches and changes that its encrypted sibling sees.
BATCHES, ENCRYPTION, DROPOUT = range(3)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainResult:
    """A finished training: the checkpoint's epoch and validation mAP, and all epochs' reports."""

    checkpoint: Path
    best_epoch: int
    validation_map: float | None
    history: tuple[EpochReport, ...]


def train(
    config: TrainConfig | HashTrainConfig,
    data: PreparedImages,
    encryptor: Encryptor,
    profile: CipherProfile | None,
    out: Path,
    *,
    progress: Callable[[EpochReport], None] = lambda _report: None,
    device: str = "cpu",
) -> TrainResult:
    """Train on the training part of plain `data` and write the best checkpoint to `out`.

    The best epoch is the one with the highest validation mAP, or the last where the split has no
    validation part. Beside `out` stand its log, a JSON object per epoch, and until the end the
    training state: after an interruption the same call goes on at the last epoch's border. The
    same seed gives the same losses on the same machine with the same number of threads.

    Args:
        config: the settings, which choose the kind of network; its height, width and classes are
            taken from the data.
        data: all prepared images; `config.split` parts them.
        encryptor: makes of plain images what the network sees; `plain` for a hash network.
        profile: what the encryptor's images say of themselves; None for plain images.
        out: the checkpoint file.
        progress: called with each epoch's report, once the epoch is saved.
        device: "cpu", "cuda:N" or "auto".

    Raises:
        DataError: if a class has too few images.
        ResumeError: if the state beside `out` belongs to another training.
        ValueError: if the network does not fit the profile, or the device is not here.
    """
    run = _Run(
        config=config, data=data, encryptor=encryptor, profile=profile, out=out, device=device
    )
    state = run.start()
    while not run.finished(state):
        report = run.epoch(state)
        state.history.append(report)
        run.save(state)
        progress(report)
    run.state_path.unlink(missing_ok=True)
    best = _best(state.history)
    return TrainResult(
        checkpoint=out,
        best_epoch=best.epoch,
        validation_map=best.validation_map,
        history=tuple(state.history),
    )


class _Run:
    """What stays the same through one training."""

    def __init__(
        self,
        *,
        config: TrainConfig | HashTrainConfig,
        data: PreparedImages,
        encryptor: Encryptor,
        profile: CipherProfile | None,
        out: Path,
        device: str,
    ) -> None:
        parts = split_images(data, config.split)
        self.config = config
        self.training = data.take(parts.train)
        self.validation = data.take(parts.validation)
        self.encryptor = encryptor
        self.out = out
        self.state_path = out.with_name(out.name + ".state")
        self.log_path = out.with_name(out.name + ".log.jsonl")
        self.device = resolve_device(device)
        self.precision = resolve_precision(config.precision, self.device)
        self.recipe = recipe_of(config, data)
        self.configuration = CheckpointConfiguration(
            architecture=self.recipe.architecture,
            network=self.recipe.network,
            profile=profile,
            training=_facts(config, data),
            numeric_mode=self.precision,
        )

    def start(self) -> TrainingState:
        """Return the saved state, or a fresh one where none (or no checkpoint to it) is there."""
        with torch.random.fork_rng(devices=self._cuda_devices()):
            torch.manual_seed(self.config.seed)
            network = self.recipe.build().to(self.device)
        accelerate(network, self.device)
        optimizer = self.recipe.optimizer(network)
        identity = hashlib.sha256(self.configuration.to_json().encode()).hexdigest()
        state = TrainingState(identity=identity, network=network, optimizer=optimizer)
        if self.state_path.exists() and self.out.exists():
            state.restore(self.state_path)
        return state

    def finished(self, state: TrainingState) -> bool:
        """Return whether all epochs are done or the time is over."""
        minutes = sum(report.seconds for report in state.history) / 60
        late = 0 < self.config.max_minutes <= minutes
        return len(state.history) >= self.config.epochs or late

    def epoch(self, state: TrainingState) -> EpochReport:
        """Return the report of one more epoch, after which the state's weights have moved on."""
        started = time.monotonic()
        number = len(state.history) + 1
        with torch.random.fork_rng(devices=self._cuda_devices()):
            torch.manual_seed(int(self._generator(number, DROPOUT).integers(2**63)))
            losses, rate = self._steps(state, number)
        triplets = [parts.triplet for parts in losses if parts.triplet is not None]
        return EpochReport(
            epoch=number,
            loss=_mean([parts.total for parts in losses]),
            triplet=_mean(triplets) if triplets else None,
            cross_entropy=_mean([parts.cross_entropy for parts in losses]),
            learning_rate=rate,
            validation_map=self._validate(state.network),
            seconds=time.monotonic() - started,
        )

    def save(self, state: TrainingState) -> None:
        """Write the checkpoint if the last epoch is the best, then the log, then the state.

        The state is the commit point: if it is not reached, the epoch is run again and writes
        the same checkpoint again.
        """
        best = _best(state.history)
        if best is state.history[-1]:
            facts = {"best_epoch": best.epoch, "validation_map": best.validation_map}
            training = {**self.configuration.training, **facts}
            save(self.out, state.network, replace(self.configuration, training=training))
        lines = [json.dumps(asdict(report)) + "\n" for report in state.history]
        replace_file(self.log_path, "".join(lines).encode())
        state.save(self.state_path)

    def _steps(self, state: TrainingState, number: int) -> tuple[list[LossParts], float]:
        """Return the losses of each batch of an epoch, and the last learning rate."""
        state.network.train()
        draw = self._generator(number, BATCHES)
        secret = self._generator(number, ENCRYPTION)
        batches = list(self.recipe.batches(self.training.labels, draw))
        losses = []
        rate = 0.0
        for index, batch in enumerate(batches):
            # Taken at the middle of a step, the rate is 0 neither at the first nor at the last.
            rate = learning_rate(self.config, number - 1 + (index + 0.5) / len(batches))
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            losses.append(self._step(state, self.training.take(batch), draw, secret))
        return losses, rate

    def _step(
        self,
        state: TrainingState,
        batch: PreparedImages,
        draw: np.random.Generator,
        secret: np.random.Generator,
    ) -> LossParts:
        """Return the loss of one batch, after the optimizer has followed its gradient."""
        outputs, order = self._forward(state.network, batch, draw, secret)
        labels = torch.from_numpy(batch.labels[order]).to(self.device)
        with autocast(self.device, self.precision):
            logits = state.network.classify(outputs)
        parts = self.recipe.loss(outputs, logits, labels)
        state.optimizer.zero_grad(set_to_none=True)
        parts.total.backward()  # type: ignore[no-untyped-call]
        state.optimizer.step()
        return parts.detached()

    def _forward(
        self,
        network: RetrievalNetwork,
        batch: PreparedImages,
        draw: np.random.Generator,
        secret: np.random.Generator,
    ) -> tuple[Tensor, NDArray[np.intp]]:
        """Return the batch's outputs and the order of its images in them.

        Each orientation is a forward pass of its own; the loss then sees one batch.
        """
        outputs, order = [], []
        for positions, pixels in by_shape(batch.images):
            changed = augment(pixels, self.config.augmentation, draw)
            encrypted = self.encryptor(changed, secret)
            with autocast(self.device, self.precision):
                outputs.append(network(to_input(encrypted, self.device)))
            order.append(positions)
        return torch.cat(outputs), np.concatenate(order)

    def _validate(self, network: RetrievalNetwork) -> float | None:
        """Return the validation part's mAP; None if there is nothing in it to retrieve."""
        try:
            evaluation = self.recipe.evaluate(
                network, self.validation, self.encryptor, self.precision
            )
        except DataError:
            return None
        return evaluation.mean_average_precision

    def _generator(self, epoch: int, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, epoch, purpose])

    def _cuda_devices(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []


def _mean(values: Sequence[Tensor]) -> float:
    return float(np.mean([value.item() for value in values]))


def _facts(config: LoopConfig, data: PreparedImages) -> dict[str, object]:
    """Return what a checkpoint keeps of its training; it holds nothing of a key."""
    return {
        "config": config.to_dict(),
        "class_names": list(data.class_names),
        "data": {"digest": data.digest(), "images": len(data)},
    }


def _best(history: list[EpochReport]) -> EpochReport:
    """Return the report with the highest validation mAP, the latest of equals or of none."""
    return max(history, key=lambda report: (report.validation_map or 0.0, report.epoch))
