import numpy as np
import pytest
import torch

from cipherlens.crypto import CipherParameters
from cipherlens.crypto.hazmat import Sequences, encrypt_blocks
from cipherlens.model.networks.block_marks import blocks_of
from cipherlens.model.networks.block_set import (
    BlockSetNetwork,
    ExactLinear,
    _at_one_position,
    levels_of,
    statistics,
)
from cipherlens.model.networks.network import to_input
from cipherlens.model.networks.network_config import BlockSetConfig

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> BlockSetNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BlockSetConfig(feature_dim=24, identity_dim=8, height=64, width=96)
        network = BlockSetNetwork(config).eval()
        for layer in (network.head, network.backbone.gate):
            torch.nn.init.normal_(layer.weight, std=0.1)
        return network


def pictures(count: int, height: int = 64, width: int = 96) -> np.ndarray:
    """Return random pictures with areas of one colour, as drawings have them."""
    coarse = 100 * np.random.default_rng(3).integers(0, 3, (count, height // 4, width // 4, 3))
    return coarse.repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)


def encrypted(plain: np.ndarray, substituted: int, seed: int) -> np.ndarray:
    parameters = CipherParameters(
        height=64, width=96, block_size=16, substituted_blocks=substituted
    )
    draws = Sequences.random(np.random.default_rng(seed), parameters, len(plain))
    return encrypt_blocks(plain, draws, 16)


@torch.no_grad()
def vectors(network: BlockSetNetwork, pixels: np.ndarray) -> torch.Tensor:
    return network(to_input(pixels, CPU))


def test_a_vector_has_both_parts_and_unit_length(network: BlockSetNetwork) -> None:
    found = vectors(network, pictures(3))
    assert found.shape == (3, network.dimension) == (3, 24)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    share = network.config.identity_share
    torch.testing.assert_close(found[:, -8:].square().sum(dim=1), torch.full((3,), share))


def test_the_order_of_the_blocks_is_nothing_to_it(network: BlockSetNetwork) -> None:
    plain = pictures(4)
    moved = encrypted(plain, substituted=0, seed=1)
    assert not np.array_equal(plain, moved)
    torch.testing.assert_close(vectors(network, moved), vectors(network, plain))


def test_a_portrait_goes_through_the_same_weights(network: BlockSetNetwork) -> None:
    plain = pictures(2)
    blocks = plain.reshape(2, 4, 16, 6, 16, 3)
    turned = blocks.transpose(0, 3, 2, 1, 4, 5).reshape(2, 96, 64, 3)  # the same blocks, 6 x 4
    torch.testing.assert_close(vectors(network, turned), vectors(network, plain))


def test_a_map_of_one_position_needs_no_convolution(network: BlockSetNetwork) -> None:
    last = network.backbone.stages[-1]
    maps = torch.randn(5, last[0].conv_pw.in_channels, 1, 1)
    expected, found = last(maps), maps
    for layer in last:
        found = _at_one_position(layer, found)
    torch.testing.assert_close(found, expected)


def test_the_statistics_of_norms_are_never_those_of_cipher_images(network: BlockSetNetwork) -> None:
    norm = network.train().backbone.bn1
    before = norm.running_mean.clone()
    vectors(network, pictures(2))
    assert torch.equal(norm.running_mean, before)
    network.eval()


@pytest.mark.parametrize("substituted", [6, 24])
def test_a_picture_of_flat_blocks_has_no_identity_and_no_error(
    network: BlockSetNetwork, substituted: int
) -> None:
    white = np.full((1, 64, 96, 3), 255, dtype=np.uint8)
    found = vectors(network, encrypted(white, substituted, seed=2))
    assert found.isfinite().all()
    assert not found[:, -8:].any()


@pytest.mark.parametrize("height", [64, 16])
def test_a_substituted_block_is_rougher_than_a_plain_one(height: int) -> None:
    y, x = np.mgrid[0:height, 0:96]
    smooth = np.stack([x + y, x + y + 9, 2 * x], axis=2).astype(np.uint8)[None]
    table = np.random.default_rng(1).permutation(256).astype(np.uint8)
    plain, rough = (
        statistics(blocks, levels_of(blocks)).mean(dim=0)
        for blocks in (blocks_of(to_input(each, CPU), 16) for each in (smooth, table[smooth]))
    )
    assert (rough[2:4] > 3 * plain[2:4]).all()
    assert plain[4] > 0.9 > rough[4]


def test_exact_linear_stays_exact_under_autocast() -> None:
    layer = ExactLinear(3, 1)
    torch.nn.init.ones_(layer.weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(torch.tensor([[1000.0, 1.0, 0.001]]))
    assert found.dtype == torch.float32
    assert float(found.detach()) == pytest.approx(1001.001)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("block_size", 24, "block_size must divide"),
        ("block_size", 4, "block_size must be from 8"),
        ("identity_dim", 512, "identity_dim must be from 1 to 511"),
        ("backbone", "vit", "backbone"),
        ("identity_share", 1.5, "identity_share"),
    ],
)
def test_what_no_network_can_have_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockSetConfig(**{field: value})
