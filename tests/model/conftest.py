"""A tiny data set of two-orientation pictures, a key, and a network that trains in seconds."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cipherlens.crypto import CipherParameters, KeyEntry
from cipherlens.model.config import (
    AugmentationConfig,
    HashNetworkConfig,
    NetworkConfig,
    SplitConfig,
    TrainConfig,
)
from cipherlens.model.data.images import PreparedImages, list_folder, load_prepared
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork

COLOURS = ((220, 40, 40), (40, 200, 60), (50, 60, 220))
IMAGES_PER_CLASS = 10


@pytest.fixture(scope="session")
def parameters() -> CipherParameters:
    return CipherParameters(
        height=16, width=24, block_size=8, substituted_blocks=2, scope="collection"
    )


@pytest.fixture(scope="session")
def entry(parameters: CipherParameters) -> KeyEntry:
    root = bytes(range(32))
    return KeyEntry(
        name="test",
        root=root,
        signing_seed=bytes(32),
        parameters=parameters,
        created_at=datetime.now(UTC),
    )


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of noisy plain colours; every third picture is portrait."""
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(7)
    for name, colour in zip(("red", "green", "blue"), COLOURS, strict=True):
        (root / name).mkdir()
        for number in range(IMAGES_PER_CLASS):
            shape = (24, 16, 3) if number % 3 == 0 else (16, 24, 3)
            noise = generator.integers(-35, 36, shape)
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def data(folder: Path, parameters: CipherParameters) -> PreparedImages:
    return load_prepared(list_folder(folder), parameters)


@pytest.fixture
def network_config() -> NetworkConfig:
    return NetworkConfig(
        patch_size=8,
        dim=16,
        depth=2,
        heads=2,
        mlp_ratio=2.0,
        feature_dim=8,
        height=16,
        width=24,
        classes=3,
    )


@pytest.fixture
def network(network_config: NetworkConfig) -> EndToEndNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EndToEndNetwork(network_config).eval()


@pytest.fixture
def hash_network() -> HashNetwork:
    """A hash network whose norm has statistics, so that its bits depend on the picture."""
    config = HashNetworkConfig(
        backbone="test_resnet", bits=12, threshold=0.45, height=32, width=48, classes=3
    )
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = HashNetwork(config).train()
        for _ in range(20):
            network(torch.rand(8, 3, 32, 48) * 2 - 1)
        return network.eval()


@pytest.fixture
def train_config(network_config: NetworkConfig) -> TrainConfig:
    return TrainConfig(
        network=network_config,
        split=SplitConfig(validation=0.2, test=0.3, seed=3),
        augmentation=AugmentationConfig(flip=0.5, min_area=0.7, jitter=0.1),
        epochs=4,
        batch_classes=3,
        batch_images=4,
        learning_rate=3e-3,
        warmup_epochs=1,
        schedule="cosine",
        precision="fp32",
        seed=11,
    )
