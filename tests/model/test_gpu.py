"""Networks on a GPU beside the same on the processor; without a GPU there is nothing to compare."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.config import HashNetworkConfig, HashTrainConfig, NetworkConfig, TrainConfig
from cipherlens.model.data.encryption import plain
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.evaluation.evaluate import evaluate_checkpoint
from cipherlens.model.hash_encoder import HashEncoder
from cipherlens.model.inference import MAX_BATCH
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.training.train import train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")


def random_pixels(count: int, height: int, width: int) -> np.ndarray:
    generator = np.random.default_rng(5)
    return generator.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("embedding", ["linear", "convolution", "residual"])
@pytest.mark.parametrize(("precision", "least"), [("fp32", 0.99999), ("bf16", 0.999)])
def test_vectors_are_the_processors(
    tmp_path: Path, precision: str, least: float, embedding: str
) -> None:
    config = NetworkConfig(
        patch_size=16,
        dim=64,
        depth=3,
        heads=2,
        feature_dim=32,
        height=64,
        width=96,
        classes=4,
        embedding=embedding,
    )
    path = tmp_path / "model.safetensors"
    save(path, EndToEndNetwork(config), CheckpointConfiguration(network=config, profile=None))
    embedder = Embedder(path, "cuda:0", precision)
    pixels = random_pixels(MAX_BATCH + 5, 64, 96)
    vectors = embedder.embed(pixels)
    assert embedder.numeric_mode == f"cuda-{precision}"
    expected = Embedder(path, "cpu", "fp32").embed(pixels)
    assert (vectors * expected).sum(axis=1).min() >= least
    alone = np.concatenate([embedder.embed(pixels[i : i + 1]) for i in range(len(pixels))])
    assert (vectors * alone).sum(axis=1).min() >= 0.9999


def test_codes_are_the_processors(tmp_path: Path, hash_network: HashNetwork) -> None:
    path = tmp_path / "hash.safetensors"
    configuration = CheckpointConfiguration(
        architecture="hash", network=hash_network.config, profile=None
    )
    save(path, hash_network, configuration)
    pixels = random_pixels(MAX_BATCH + 5, 32, 48)
    on_gpu, expected = HashEncoder(path, "cuda:0"), HashEncoder(path)
    np.testing.assert_allclose(on_gpu.activations(pixels), expected.activations(pixels), atol=1e-5)
    assert on_gpu.numeric_mode == "cuda-fp32"


@pytest.mark.parametrize("kind", ["e2e", "hash"])
def test_a_training_has_the_losses_that_it_has_on_the_processor(
    kind: str, train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    config: TrainConfig | HashTrainConfig = replace(train_config, epochs=2)
    if kind == "hash":
        config = HashTrainConfig(
            network=HashNetworkConfig(backbone="test_resnet", bits=12, height=16, width=24),
            split=train_config.split,
            epochs=2,
            batch_size=6,
            precision="fp32",
            seed=11,
        )
    found, expected = (
        train(config, data, plain, None, tmp_path / device, device=device).history
        for device in ("cuda:0", "cpu")
    )
    for one, other in zip(found, expected, strict=True):
        assert one.loss == pytest.approx(other.loss, rel=1e-3)
    on_gpu, on_cpu = (
        evaluate_checkpoint(tmp_path / "cuda:0", data, plain, device=device)
        for device in ("cuda:0", "cpu")
    )
    assert on_gpu.mean_average_precision == pytest.approx(on_cpu.mean_average_precision, abs=0.02)


def test_bf16_learns_and_goes_on_after_an_interrupt(
    train_config: TrainConfig, data: PreparedImages, tmp_path: Path
) -> None:
    config = replace(train_config, epochs=12, precision="bf16")

    def interrupt(report: object) -> None:
        if getattr(report, "epoch", 0) == 5:
            raise KeyboardInterrupt

    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(config, data, plain, None, out, progress=interrupt, device="auto")
    result = train(config, data, plain, None, out, device="auto")
    assert [each.epoch for each in result.history] == list(range(1, 13))
    assert result.history[-1].loss < 0.8 * result.history[0].loss
