"""The settings files with the papers' numbers: they say what the papers say, and build."""

from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.model.config import HashTrainConfig, NetworkConfig, TrainConfig, read_config
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.networks.network import to_input

CONFIGS = Path(__file__).parents[3] / "benchmarks" / "configs"


@pytest.mark.parametrize(
    ("name", "backbone", "patch_size"),
    [
        ("corel10k-e2e-p8", "vit", 8),
        ("corel10k-e2e-p16", "vit", 16),
        ("corel10k-e2e-resnet50", "resnet50", 8),
    ],
)
def test_the_end_to_end_papers_numbers(name: str, backbone: str, patch_size: int) -> None:
    config = read_config(CONFIGS / f"{name}.toml")
    assert isinstance(config, TrainConfig)
    network = config.network
    assert (network.backbone, network.patch_size, network.feature_dim) == (
        backbone,
        patch_size,
        768,
    )
    assert (network.height, network.width, network.classes) == (128, 192, 100)
    assert (config.learning_rate, config.beta1, config.weight_decay) == (5e-5, 0.9, 1e-5)
    assert (config.epochs, config.batch_classes, config.batch_images) == (60, 10, 5)
    assert (config.margin, config.alpha, config.schedule) == (0.5, 0.5, "constant")
    assert (config.split.test, config.split.validation) == (0.3, 0.1)
    assert (config.warmup_epochs, config.pretrained) == (0, "")
    assert config.augmentation.flip == 0
    assert config.augmentation.min_area == 1


@pytest.mark.parametrize("patch_size", [8, 16])
def test_vit_base(patch_size: int) -> None:
    config = read_config(CONFIGS / f"corel10k-e2e-p{patch_size}.toml")
    with torch.device("meta"):
        network = EndToEndNetwork(config.network)
    blocks = 128 * 192 // patch_size**2
    assert network.backbone.pos_embed.shape == (1, blocks + 1, 768)
    assert len(network.backbone.blocks) == 12
    assert network.backbone.blocks[0].attn.num_heads == 12
    assert network.backbone.blocks[0].mlp.fc1.out_features == 3072
    assert network.backbone.patch_embed.proj.weight.shape == (768, 3, patch_size, patch_size)
    assert network.feature.out_features == 768
    assert network.classifier.out_features == 100


def test_resnet50() -> None:
    config = read_config(CONFIGS / "corel10k-e2e-resnet50.toml")
    with torch.device("meta"):
        network = EndToEndNetwork(config.network)
    assert network.feature.weight.shape == (768, 2048)
    # The published 25,557,032 without the top of 2048 x 1000 weights and 1000 biases.
    learned = sum(each.numel() for each in network.backbone.parameters())
    assert learned == 25_557_032 - 2_049_000


def test_dlheirs_numbers() -> None:
    config = read_config(CONFIGS / "corel10k-dlheir.toml")
    assert isinstance(config, HashTrainConfig)
    network = config.network
    assert (network.backbone, network.bits, network.threshold) == ("dlheir", 48, 0.5)
    assert (network.height, network.width, network.classes) == (384, 384, 100)
    assert (config.learning_rate, config.momentum, config.weight_decay) == (0.01, 0.9, 0)
    assert (config.epochs, config.batch_size, config.schedule) == (200, 64, "constant")
    assert (config.split.test, config.split.validation) == (0.2, 0.1)
    assert config.pretrained == "timm"
    with torch.device("meta"):
        built = HashNetwork(network)
    assert built.head.convolution.weight.shape == (48, 512, 1, 1)
    assert built.classifier.weight.shape == (100, 48)


@pytest.mark.parametrize("patch_size", [8, 16])
def test_one_network_takes_both_orientations_of_the_papers_size(patch_size: int) -> None:
    """The same blocks in raster order have the same feature as a landscape and as a portrait."""
    config = NetworkConfig(patch_size=patch_size, dim=16, depth=2, heads=2, feature_dim=8)
    torch.manual_seed(0)
    network = EndToEndNetwork(config).eval()
    blocks = np.random.default_rng(0).integers(
        0, 256, (128 * 192 // patch_size**2, patch_size, patch_size, 3), dtype=np.uint8
    )
    landscape = _picture(blocks, 128 // patch_size)
    portrait = _picture(blocks, 192 // patch_size)
    assert landscape.shape == (1, 128, 192, 3)
    assert portrait.shape == (1, 192, 128, 3)
    other = _picture(np.roll(blocks, 1, axis=0), 128 // patch_size)
    with torch.no_grad():
        network.backbone.pos_embed.normal_(generator=torch.Generator().manual_seed(1))
        found = [network(to_input(each, torch.device("cpu"))) for each in (landscape, portrait)]
        moved = network(to_input(other, torch.device("cpu")))
    torch.testing.assert_close(found[0], found[1])
    assert found[0].shape == (1, 8)
    assert (moved - found[0]).abs().max() > 1e-3


def _picture(blocks: np.ndarray, rows: int) -> np.ndarray:
    """Return (1, h, w, 3) from (n, P, P, 3) blocks in raster order, `rows` rows of them."""
    size = blocks.shape[1]
    grid = blocks.reshape(rows, -1, size, size, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(1, rows * size, -1, 3)
