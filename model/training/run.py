"""One training: where it starts or goes on, its epochs, what is kept of them."""

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from cipherlens.base import CipherProfile, replace_file
from cipherlens.model.checkpoint import CheckpointConfiguration, read_configuration, save
from cipherlens.model.config import (
    AnyTrainConfig,
    BlockTrainConfig,
    DistillConfig,
    LabelConfig,
    LoopConfig,
)
from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import PreparedImages, split_images
from cipherlens.model.errors import DataError, TrainingDiverged
from cipherlens.model.networks.network import RetrievalNetwork
from cipherlens.model.precision import resolve_precision
from cipherlens.model.training.acceleration import accelerate
from cipherlens.model.training.average import Average
from cipherlens.model.training.batch_norm import synchronise
from cipherlens.model.training.distil import with_teacher
from cipherlens.model.training.distributed import Processes
from cipherlens.model.training.head import with_rows
from cipherlens.model.training.recipes import recipe_of
from cipherlens.model.training.schedule import learning_rate
from cipherlens.model.training.state import EpochReport, PartialEpoch, TrainingState, epochs_in
from cipherlens.model.training.steps import Step, Steps


class Run:
    """What stays the same through one training."""

    def __init__(
        self,
        config: AnyTrainConfig,
        data: PreparedImages,
        encryptor: Encryptor,
        profile: CipherProfile | None,
        out: Path,
        device: torch.device,
        processes: Processes,
        workers: int,
        save_minutes: float,
    ) -> None:
        """Part the data and fit the settings to it; arguments and errors are those of `train`."""
        parts = split_images(data, config.split)
        self.config = config
        self.validation = data.take(parts.validation)
        self.out = out
        self.state_path = out.with_name(out.name + ".state")
        self.taught_path = out.with_name(out.name + ".teacher")
        self.rows_path = out.with_name(out.name + ".rows")
        self.log_path = out.with_name(out.name + ".log.jsonl")
        self.device = device
        self.processes = processes
        self.save_seconds = 60 * save_minutes
        self.recipe = recipe_of(config, data)
        self.steps = Steps(
            config=config,
            recipe=self.recipe,
            images=data.take(parts.train),
            encryptor=encryptor,
            device=device,
            precision=resolve_precision(config.precision, device),
            processes=processes,
            workers=workers,
        )
        self.configuration = CheckpointConfiguration(
            architecture=self.recipe.architecture,
            network=self.recipe.network,
            profile=profile,
            training={**_facts(config, data), **self.recipe.start()},
            numeric_mode=self.steps.precision,
        )
        self.identity = hashlib.sha256(self.configuration.to_json().encode()).hexdigest()

    def prepare(self, taught: Callable[[int, int], None]) -> None:
        """Let a teacher, or stages that learn nothing, see the pictures where there are such."""
        if isinstance(self.config, DistillConfig):
            self.steps = with_teacher(self.steps, self.validation, self.taught_path, taught)
        elif isinstance(self.config, BlockTrainConfig):
            self.steps = with_rows(
                self.steps, self.validation, self.rows_path, self.identity, taught
            )

    def begin(self, state: TrainingState) -> None:
        """Do what comes before the first step; what is of use by then is the checkpoint so far."""
        if self.steps.begin(state.network):
            self._keep(state.network, 0, self._validate(state.network))

    def start(self) -> TrainingState:
        """Return the saved state, or a fresh one where none (or no checkpoint to it) is there.

        Raises:
            DataError: if this process would train another network than the first.
            ResumeError: if the saved state belongs to another training.
        """
        with torch.random.fork_rng(devices=self._cuda_devices()):
            torch.manual_seed(self.config.seed)
            network = self.recipe.build().to(self.device)
        accelerate(network, self.device)
        if self.processes.count > 1:
            synchronise(network, self.device)
        identity = self.identity.encode()
        if self.processes.of_first(identity) != identity:
            raise DataError(
                f"process {self.processes.rank} has other settings, data or key than process 0"
            )
        optimizer = self.recipe.optimizer(network)
        average = Average(network, self.config.ema) if self.config.ema else None
        state = TrainingState(
            identity=self.identity, network=network, optimizer=optimizer, average=average
        )
        if saved := self.processes.of_first(self._saved()):
            state.restore(saved, self.state_path)
        if isinstance(self.config, LabelConfig) and self.config.compiled:
            network.compile()
        return state

    def best(self, state: TrainingState) -> tuple[int, float | None]:
        """Return the epoch that the checkpoint holds, 0 for the start, and its validation mAP."""
        best = _best(state.history)
        if (best.validation_map or 0.0) > self._start_score():
            return best.epoch, best.validation_map
        return 0, self._start_score()

    def finished(self, state: TrainingState) -> bool:
        """Return whether all epochs are done or the time is over."""
        minutes = sum(report.seconds for report in state.history) / 60
        late = 0 < self.config.max_minutes <= minutes
        return len(state.history) >= self.config.epochs or late

    def epoch(self, state: TrainingState, step: Step) -> EpochReport:
        """Return the report of one more epoch, or its rest, after which it is in the history."""
        number = len(state.history) + 1
        with torch.random.fork_rng(devices=self._cuda_devices()):
            images, rate = self._train(state, step, number)
        started, started_cpu = time.monotonic(), time.process_time()
        total, triplet, entropy = (state.partial.losses / state.partial.steps).tolist()
        if not math.isfinite(total):
            raise TrainingDiverged(f"the loss is {total} in epoch {number}: lower learning_rate")
        report = EpochReport(
            epoch=number,
            loss=total,
            triplet=None if math.isnan(triplet) else triplet,
            cross_entropy=entropy,
            learning_rate=rate,
            validation_map=self._validate(state.judged),
            seconds=state.partial.seconds + time.monotonic() - started,
            cpu_seconds=state.partial.cpu_seconds + time.process_time() - started_cpu,
            images_per_second=images / max(state.partial.seconds, 1e-9),
        )
        # One process's score and clock decide for all which epoch is the best and the last.
        shared = self.processes.of_first(json.dumps(asdict(report)).encode())
        state.history.append(EpochReport(**json.loads(shared)))
        state.partial = PartialEpoch()
        return state.history[-1]

    def save(self, state: TrainingState) -> None:
        """Write the checkpoint if the last epoch is the best, then the log, then the state.

        The state is the commit point: if it is not reached, the epoch's end is run again and
        writes the same checkpoint again.
        """
        best = _best(state.history)
        if best is state.history[-1] and (best.validation_map or 0.0) > self._start_score():
            self._keep(state.judged, best.epoch, best.validation_map)
        lines = [json.dumps(asdict(report)) + "\n" for report in state.history]
        replace_file(self.log_path, "".join(lines).encode())
        state.save(self.state_path)

    def forget(self) -> None:
        """Remove what only an interrupted training needs."""
        for path in (self.state_path, self.taught_path, self.rows_path):
            path.unlink(missing_ok=True)

    def _keep(self, network: RetrievalNetwork, epoch: int, score: float | None) -> None:
        """Write the checkpoint of an epoch; 0 is what the training began with."""
        facts = {"best_epoch": epoch, "validation_map": score}
        training = {**self.configuration.training, **facts}
        save(self.out, network, replace(self.configuration, training=training))

    def _start_score(self) -> float:
        """Return the validation mAP of the start if the checkpoint still holds it, else -1."""
        if not isinstance(self.config, DistillConfig):
            return -1.0
        kept = read_configuration(self.out).training
        return float(kept["validation_map"] or -1.0) if kept["best_epoch"] == 0 else -1.0

    def _saved(self) -> bytes:
        """Return the state to go on from; empty if there is none, or its checkpoint is gone."""
        if not (self.processes.first and self.state_path.exists()):
            return b""
        data = self.state_path.read_bytes()
        return data if self.out.exists() or epochs_in(data, self.state_path) == 0 else b""

    def _train(self, state: TrainingState, step: Step, number: int) -> tuple[int, float]:
        """Run what is left of an epoch; return its number of images and the last learning rate."""
        state.network.train()
        batches = self.steps.batches(number)
        rate = 0.0
        saved = started = time.monotonic()
        started_cpu = time.process_time()
        first = state.partial.steps
        for index, batch in enumerate(self.steps.ready(number, first), start=first):
            # Taken at the middle of a step, the rate is 0 neither at the first nor at the last.
            rate = learning_rate(self.config, number - 1 + (index + 0.5) / len(batches))
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            values = step(batch, (number, index))
            if state.average is not None:
                state.average.follow(state.network, (number - 1) * len(batches) + index)
            state.partial.add(values, time.monotonic() - started, time.process_time() - started_cpu)
            started, started_cpu = time.monotonic(), time.process_time()
            due = time.monotonic() - saved >= self.save_seconds
            if due and self.processes.first and index + 1 < len(batches):
                state.save(self.state_path)
                saved = time.monotonic()
        return sum(len(batch) for batch in batches), rate

    def _validate(self, network: RetrievalNetwork) -> float | None:
        """Return the validation part's mAP; None if there is nothing in it to retrieve.

        The first process does it for all.
        """
        return self.steps.score(network, self.validation) if self.processes.first else None

    def _cuda_devices(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []


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
