"""Trainings that are stopped go on from their saved state to what unbroken ones come to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.model.checkpoint import load_network
from cipherlens.model.config import TrainConfig
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import ResumeError
from cipherlens.model.training.train import train
from tests.model.training.runs import run, without_seconds


def test_a_stopped_training_goes_on_to_the_same_weights(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    config = replace(train_config, network=replace(train_config.network, drop_path=0.3))
    whole = run(config, data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config, data, tmp_path / "parts", stop_after=2)
    assert len((tmp_path / "parts.log.jsonl").read_text().splitlines()) == 2
    parts = run(config, data, tmp_path / "parts")
    assert without_seconds(parts) == without_seconds(whole)
    expected, found = (load_network(tmp_path / each).state_dict() for each in ("whole", "parts"))
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_an_interrupt_within_an_epoch_loses_only_that_epoch(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    calls = 0

    def interrupting(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 14:
            raise KeyboardInterrupt
        return images

    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(train_config, data, interrupting, None, out)
    assert 1 <= len((tmp_path / "model.log.jsonl").read_text().splitlines()) < 4
    resumed = run(train_config, data, out)
    assert without_seconds(resumed) == without_seconds(run(train_config, data, tmp_path / "whole"))


@pytest.mark.parametrize("stop", [5, 13])
def test_a_state_within_an_epoch_is_gone_on_from(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path, stop: int
) -> None:
    """Also in the first epoch, when there is no checkpoint yet."""
    config = replace(train_config, epochs=2, batch_images=2)
    calls: list[int] = []  # up to two orientations in a batch, three batches, two in validation

    def counting(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        calls.append(len(images))
        if len(calls) == stop:
            raise KeyboardInterrupt
        return images

    with pytest.raises(KeyboardInterrupt):
        train(config, data, counting, None, tmp_path / "model", save_minutes=0)
    resumed = train(config, data, counting, None, tmp_path / "model")
    in_parts = len(calls)
    whole = train(config, data, counting, None, tmp_path / "whole")
    assert without_seconds(resumed) == without_seconds(whole)
    assert 1 <= in_parts - (len(calls) - in_parts) <= 2  # only one batch was run again


def test_a_state_without_its_checkpoint_counts_for_nothing(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(train_config, data, tmp_path / "model", stop_after=2)
    (tmp_path / "model").unlink()
    result = run(train_config, data, tmp_path / "model")
    assert without_seconds(result) == without_seconds(run(train_config, data, tmp_path / "whole"))
    assert (tmp_path / "model").exists()


def test_a_state_of_another_training_is_refused(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        run(train_config, data, out, stop_after=1)
    with pytest.raises(ResumeError, match="other settings, data or key"):
        run(replace(train_config, alpha=0.6), data, out)
    with pytest.raises(ResumeError, match="other settings, data or key"):
        run(train_config, data.take(np.arange(len(data) - 1)), out)
    (tmp_path / "model.state").write_bytes(b"damaged")
    with pytest.raises(ResumeError, match="no training state"):
        run(train_config, data, out)
