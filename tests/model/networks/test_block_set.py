import numpy as np
import pytest
import torch

from cipherlens.crypto import CipherParameters
from cipherlens.crypto.hazmat import Sequences, encrypt_blocks
from cipherlens.model.networks.block_set import BlockSetNetwork
from cipherlens.model.networks.network import to_input
from cipherlens.model.networks.network_config import BlockSetConfig

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network() -> BlockSetNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BlockSetConfig(
            dim=16, depth=2, heads=2, feature_dim=24, identity_dim=8, height=64, width=96
        )
        return BlockSetNetwork(config).eval()


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


def test_a_mirrored_picture_keeps_its_neighbours(network: BlockSetNetwork) -> None:
    """Left and right count alike, so that only what is within a block differs."""
    uniform = np.random.default_rng(5).integers(0, 256, (2, 4, 6, 3))
    plain = uniform.repeat(16, axis=1).repeat(16, axis=2).astype(np.uint8)
    # A zero border on both sides of a stride-2 convolution is not symmetric: compare without it.
    with torch.no_grad():
        kernel = network.backbone.conv_stem.weight.clone()
        network.backbone.conv_stem.weight.zero_()
        ours, mirrored = (vectors(network, each)[:, :16] for each in (plain, plain[:, :, ::-1]))
        network.backbone.conv_stem.weight.copy_(kernel)
    cosines = torch.nn.functional.cosine_similarity(ours, mirrored)
    assert (cosines > 0.999).all()


@pytest.mark.parametrize("substituted", [6, 24])
def test_a_picture_of_flat_blocks_has_no_identity_and_no_error(
    network: BlockSetNetwork, substituted: int
) -> None:
    white = np.full((1, 64, 96, 3), 255, dtype=np.uint8)
    found = vectors(network, encrypted(white, substituted, seed=2))
    assert found.isfinite().all()
    assert not found[:, -8:].any()


def test_all_that_is_learnt_has_a_gradient(network: BlockSetNetwork) -> None:
    network.backbone(to_input(encrypted(pictures(4), 6, seed=3), CPU)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    network.zero_grad(set_to_none=True)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("block_size", 12, "block_size must"),
        ("identity_dim", 512, "identity_dim must be from 1 to 511"),
        ("backbone", "vit", "backbone"),
        ("identity_share", 1.5, "identity_share"),
    ],
)
def test_what_no_network_can_have_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BlockSetConfig(**{field: value})
