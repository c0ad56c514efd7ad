import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from cipherlens.base import CipherProfile
from cipherlens.crypto import CipherParameters
from cipherlens.model.checkpoint import load_hash_network, read_configuration
from cipherlens.model.config import HashNetworkConfig, HashTrainConfig, SplitConfig
from cipherlens.model.data.encryption import plain
from cipherlens.model.data.images import PreparedImages, list_folder, load_prepared, split_images
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint
from cipherlens.model.evaluation.evaluate_codes import encode_images, evaluate_codes
from cipherlens.model.hash_encoder import HashEncoder
from cipherlens.model.training.state import EpochReport
from cipherlens.model.training.train import TrainResult, train


@pytest.fixture(scope="module")
def square(folder: Path) -> PreparedImages:
    """The pictures in the one shape that DLHEIR warps them to."""
    parameters = CipherParameters(height=32, width=32, block_size=8, substituted_blocks=0)
    return load_prepared(list_folder(folder), parameters)


@pytest.fixture
def config() -> HashTrainConfig:
    return HashTrainConfig(
        network=HashNetworkConfig(backbone="test_resnet", bits=12, height=32, width=32),
        split=SplitConfig(validation=0.2, test=0.3, seed=3),
        epochs=3,
        batch_size=4,
        precision="fp32",
        seed=11,
    )


def run(
    config: HashTrainConfig, data: PreparedImages, out: Path, stop_after: int = 0
) -> TrainResult:
    """Train; an interrupt comes after epoch `stop_after`."""

    def interrupt(report: EpochReport) -> None:
        if report.epoch == stop_after:
            raise KeyboardInterrupt

    return train(config, data, plain, None, out, progress=interrupt)


def test_it_learns_codes(config: HashTrainConfig, square: PreparedImages, tmp_path: Path) -> None:
    out = tmp_path / "hash.safetensors"
    result = run(replace(config, epochs=12), square, out)
    assert result.history[-1].loss < 0.8 * result.history[0].loss
    assert all(report.loss == report.cross_entropy for report in result.history)
    found = evaluate_checkpoint(out, square, plain)
    assert found.queries == 9
    assert found.mean_average_precision > 1.5 * found.chance


def test_test_images_query_all_that_are_not_tests(
    config: HashTrainConfig, square: PreparedImages, tmp_path: Path
) -> None:
    out = run(replace(config, epochs=1), square, tmp_path / "hash").checkpoint
    parts = split_images(square, config.split)
    codes = encode_images(HashEncoder(out), square)
    rest = np.concatenate([parts.train, parts.validation])
    expected = evaluate_codes(
        codes[parts.test], codes[rest], square.labels[parts.test], square.labels[rest], bits=12
    )
    assert evaluate_checkpoint(out, square, plain) == expected
    assert expected.precision_at.keys() == {20}


def test_the_best_epoch_is_chosen_by_the_codes_of_the_validation_part(
    config: HashTrainConfig, square: PreparedImages, tmp_path: Path
) -> None:
    result = run(config, square, tmp_path / "hash")
    scores = [report.validation_map for report in result.history]
    assert result.validation_map == max(score for score in scores if score is not None)
    found = evaluate_checkpoint(tmp_path / "hash", square, plain, part="validation")
    assert found.mean_average_precision == pytest.approx(result.validation_map)
    assert found.queries == 6


def test_a_stopped_training_goes_on_to_the_same_weights(
    config: HashTrainConfig, square: PreparedImages, tmp_path: Path
) -> None:
    whole = run(config, square, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(config, square, tmp_path / "parts", stop_after=1)
    parts = run(config, square, tmp_path / "parts")
    assert [
        replace(each, seconds=0, cpu_seconds=0, images_per_second=0) for each in parts.history
    ] == [replace(each, seconds=0, cpu_seconds=0, images_per_second=0) for each in whole.history]
    expected, found = (
        load_hash_network(tmp_path / each).state_dict() for each in ("whole", "parts")
    )
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def test_what_is_kept(config: HashTrainConfig, square: PreparedImages, tmp_path: Path) -> None:
    out = run(replace(config, epochs=1), square, tmp_path / "hash").checkpoint
    configuration = read_configuration(out)
    assert configuration.architecture == "hash"
    assert configuration.network == replace(config.network, classes=3)
    kept = HashTrainConfig.from_dict(configuration.training["config"])
    assert kept == replace(config, epochs=1)
    (line,) = (tmp_path / "hash.log.jsonl").read_text().splitlines()
    assert json.loads(line)["triplet"] is None


def test_a_start_from_weights_in_a_file_is_kept_and_goes_on_like_any_other(
    config: HashTrainConfig, square: PreparedImages, tmp_path: Path
) -> None:
    weights = tmp_path / "start.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(1)
        save_file(timm.create_model("test_resnet", num_classes=0).state_dict(), weights)
    started = replace(config, epochs=2, pretrained=str(weights))
    whole = run(started, square, tmp_path / "whole")
    assert read_configuration(whole.checkpoint).training["start"] == {
        "source": str(weights),
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    with pytest.raises(KeyboardInterrupt):
        run(started, square, tmp_path / "parts", stop_after=1)
    parts = run(started, square, tmp_path / "parts")
    random = run(replace(config, epochs=2), square, tmp_path / "random")
    assert "start" not in read_configuration(random.checkpoint).training
    losses = [[each.loss for each in result.history] for result in (whole, parts, random)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_a_picture_alone_in_its_orientation_trains_a_network_too(
    config: HashTrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    """Its maps are of one pixel, of which a batch norm can make nothing."""
    network = replace(config.network, height=16, width=24)
    result = run(replace(config, network=network, batch_size=2), data, tmp_path / "hash")
    assert len(result.history) == 3


def test_a_hash_network_reads_plain_images(
    config: HashTrainConfig, square: PreparedImages, profile: CipherProfile, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="hash network reads plain images"):
        train(config, square, plain, profile, tmp_path / "hash")


def test_an_image_alone_in_its_class_chooses_no_epoch(
    config: HashTrainConfig, square: PreparedImages, tmp_path: Path
) -> None:
    lonely = replace(config, epochs=1, split=SplitConfig(validation=0.1, test=0.3))
    result = run(lonely, square, tmp_path / "hash")
    assert result.validation_map is None
