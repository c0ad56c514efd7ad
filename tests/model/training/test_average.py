"""An average of weights follows a network, is what is judged and kept, and is resumed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.model.checkpoint import load_network, read_configuration
from cipherlens.model.config import SplitConfig, TrainConfig
from cipherlens.model.data.encryption import plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.training.average import Average
from tests.model.training.runs import run, without_seconds


def test_it_is_close_behind_at_first_and_slow_later(network: EndToEndNetwork) -> None:
    average = Average(network, 0.9)
    expected = network.feature.weight.detach().double().clone()
    generator = torch.Generator().manual_seed(0)
    for step in range(200):
        with torch.no_grad():
            network.feature.weight.normal_(generator=generator)
        average.follow(network, step)
        share = min(0.9, (1 + step) / (10 + step))
        expected = share * expected + (1 - share) * network.feature.weight.detach().double()
    found = average.network.state_dict()["feature.weight"].double()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    assert not any(each.requires_grad for each in average.network.parameters())


def test_statistics_of_norms_are_averaged_and_counts_are_not(hash_network: HashNetwork) -> None:
    average = Average(hash_network, 0.5)
    before = average.network.head.norm.running_mean.clone()
    with torch.no_grad():
        hash_network.head.norm.running_mean += 1
        hash_network.head.norm.num_batches_tracked += 7
    average.follow(hash_network, 100)
    torch.testing.assert_close(average.network.head.norm.running_mean, before + 0.5)
    assert average.network.head.norm.num_batches_tracked == 27


def test_the_average_is_what_is_kept(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    """The weights are followed: the losses are those of a training without an average."""
    config = replace(train_config, split=SplitConfig(validation=0, test=0.3))
    kept, losses = {}, {}
    for decay in (0.0, 0.99999):
        result = run(replace(config, ema=decay), data, tmp_path / f"{decay}")
        kept[decay] = load_network(result.checkpoint).state_dict()["feature.weight"]
        losses[decay] = [each.loss for each in result.history]
    assert losses[0.0] == losses[0.99999]
    assert not torch.allclose(kept[0.0], kept[0.99999], atol=1e-4)
    assert read_configuration(tmp_path / "0.0").training["config"].get("ema") is None
    assert read_configuration(tmp_path / "0.99999").training["config"]["ema"] == 0.99999


def test_a_stopped_average_goes_on(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    config = replace(train_config, ema=0.9)
    whole = run(config, data, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config, data, tmp_path / "parts", stop_after=2)
    parts = run(config, data, tmp_path / "parts")
    assert without_seconds(parts) == without_seconds(whole)
    expected, found = (load_network(tmp_path / each).state_dict() for each in ("whole", "parts"))
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_the_score_is_the_averages(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    """The weights that are kept have the score that the epoch reports."""
    result = run(replace(train_config, ema=0.8), data, tmp_path / "m")
    found = evaluate_checkpoint(tmp_path / "m", data, plain, part="validation", precision="fp32")
    assert found.mean_average_precision == pytest.approx(result.validation_map)
    assert np.isfinite(result.history[-1].loss)
