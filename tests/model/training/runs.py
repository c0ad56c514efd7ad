"""Trainings of a plain twin, stopped where a test wants it, and what two of them must share."""

from dataclasses import replace
from pathlib import Path

from cipherlens.model.config import TrainConfig
from cipherlens.model.data.encryption import plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.train import TrainResult, train


def run(config: TrainConfig, data: PreparedImages, out: Path, stop_after: int = 0) -> TrainResult:
    """Train a plain twin; an interrupt comes after epoch `stop_after`."""

    def interrupt(report: EpochReport) -> None:
        if report.epoch == stop_after:
            raise KeyboardInterrupt

    return train(config, data, plain, None, out, progress=interrupt)


def without_seconds(result: TrainResult) -> list[EpochReport]:
    """Return the history without what the clock decides."""
    return [
        replace(each, seconds=0.0, cpu_seconds=0.0, images_per_second=0.0)
        for each in result.history
    ]
