from dataclasses import replace

import numpy as np
import pytest
import torch

from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.networks.block_marks import blocks_of
from cipherlens.model.networks.block_set import BlockSetNetwork, levels_of, statistics
from cipherlens.model.networks.network import to_input
from cipherlens.model.networks.network_config import BlockSetConfig
from cipherlens.model.training.head_start import _unchanged, fit_gate, fit_head

CPU = torch.device("cpu")


@pytest.fixture
def network() -> BlockSetNetwork:
    config = BlockSetConfig(block_size=16, feature_dim=12, identity_dim=8, height=64, width=96)
    return BlockSetNetwork(config).eval()


@pytest.fixture
def smooth() -> PreparedImages:
    """Pictures whose colours change slowly, in both orientations."""
    draw = np.random.default_rng(2)
    images = []
    for number in range(24):
        height, width = (96, 64) if number % 4 == 0 else (64, 96)
        y, x = np.mgrid[0:height, 0:width] / 40
        phases = draw.uniform(0, 6, 3)
        waves = [127 + 100 * np.sin(x * draw.uniform(1, 2) + y + each) for each in phases]
        images.append(np.stack(waves, axis=2).astype(np.uint8))
    return PreparedImages(
        images=tuple(images),
        labels=np.zeros(24, dtype=np.int64),
        names=tuple(map(str, range(24))),
        class_names=("",),
        height=64,
        width=96,
    )


def encryptor(substituted: int) -> AnyKeyEncryptor:
    parameters = CipherParameters(
        height=64, width=96, block_size=16, substituted_blocks=substituted
    )
    return AnyKeyEncryptor(replace(parameters, scope=Scope.IMAGE))


def test_the_gate_knows_blocks_that_it_has_not_seen(
    network: BlockSetNetwork, smooth: PreparedImages
) -> None:
    fit_gate(network.backbone, smooth.take(np.arange(16)), encryptor(8))
    unseen = np.stack([image for image in smooth.images[16:] if image.shape[0] == 64])
    cipher = encryptor(8)(unseen, np.random.default_rng(5))
    blocks = blocks_of(to_input(cipher, CPU), 16)
    open_gate = network.backbone.gate(statistics(blocks, levels_of(blocks)))[:, 0] > 0
    plain = _unchanged(unseen, cipher, 16)
    assert plain.mean() == pytest.approx(16 / 24)
    assert (open_gate.numpy() == plain).mean() > 0.95


@pytest.mark.parametrize("substituted", [0, 24])
def test_where_all_blocks_are_of_a_kind_all_count_alike(
    network: BlockSetNetwork, smooth: PreparedImages, substituted: int
) -> None:
    fit_gate(network.backbone, smooth, encryptor(substituted))
    assert not network.backbone.gate.weight.any()
    assert float(network.backbone.gate.bias.detach()) == 10


def test_the_head_is_the_ridge_regression_of_all_batches(network: BlockSetNetwork) -> None:
    """Beside the solution of the whole system with centred and scaled columns at once."""
    draw = np.random.default_rng(3)
    width = network.backbone.width
    rows = draw.standard_normal((60, width)) * draw.uniform(0.1, 9, width) + 5
    targets = draw.standard_normal((60, 4))
    batches = [
        (torch.from_numpy(x).float(), torch.from_numpy(y).float())
        for x, y in zip(np.split(rows, 3), np.split(targets, 3), strict=True)
    ]
    fit_head(network, iter(batches), 0.5)
    scale = rows.std(axis=0) + 1e-3
    scaled, aims = (rows - rows.mean(axis=0)) / scale, targets - targets.mean(axis=0)
    dual = scaled.T @ np.linalg.solve(scaled @ scaled.T + 0.5 * 60 * np.eye(60), aims)
    expected = scaled @ dual + targets.mean(axis=0)
    found = network.semantic(torch.from_numpy(rows).float()).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=2e-3)
