"""What a token of a network of any key depends on."""

import numpy as np
import pytest
import torch

from cipherlens.crypto import CipherParameters, Scope
from cipherlens.crypto.hazmat import Sequences, encrypt_blocks
from cipherlens.model.networks.block_embedding import BlockEmbedding
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.network import to_input
from cipherlens.model.networks.network_config import NetworkConfig

CPU = torch.device("cpu")


def pictures(rng, height=16, width=24):
    return rng.integers(0, 40, (3, height, width, 3), dtype=np.uint8)


KINDS = {"convolution": {}, "residual": {"residual": True}, "ordered": {"ordered": True}}


@pytest.fixture(params=KINDS)
def embedding(request):
    """Return what makes the same embedding for blocks of a side."""

    def made(side=8):
        torch.manual_seed(0)
        return BlockEmbedding((16, 24), side, embed_dim=5, **KINDS[request.param])

    return made


def encrypted(images, side, substituted):
    height, width = images.shape[1:3]
    parameters = CipherParameters(
        height=height,
        width=width,
        block_size=side,
        substituted_blocks=substituted,
        scope=Scope.IMAGE,
    )
    sequences = Sequences.random(np.random.default_rng(5), parameters, len(images))
    return encrypt_blocks(images, sequences, side)


@pytest.mark.parametrize("side", [1, 2, 4, 8])
def test_every_block_has_a_token(embedding, side):
    images = to_input(pictures(np.random.default_rng(0)), CPU)
    tokens = embedding(side)(images)
    assert tokens.shape == (3, 16 * 24 // side**2, 5)
    assert tokens.isfinite().all()
    assert embedding(side)(images.transpose(2, 3)).shape == tokens.shape


def test_tokens_move_with_their_blocks_and_do_not_change(embedding):
    images = pictures(np.random.default_rng(1))
    moved = encrypted(images, 8, 0)
    before = embedding()(to_input(images, CPU)).detach().numpy()
    after = embedding()(to_input(moved, CPU)).detach().numpy()
    assert not np.allclose(before, after, atol=1e-3)
    for tokens, shuffled in zip(before, after, strict=True):
        order = np.lexsort(tokens.T)
        assert np.allclose(tokens[order], shuffled[np.lexsort(shuffled.T)], atol=1e-5)


def test_marks_of_equal_pixels_outlive_every_colour_table(embedding):
    images = pictures(np.random.default_rng(2))
    layer = embedding()
    with torch.no_grad():
        layer.layers[0].weight[:, :3] = 0  # blind to the pixels themselves, it has the marks only
    table = np.random.default_rng(3).permutation(256).astype(np.uint8)
    before = layer(to_input(images, CPU))
    assert torch.allclose(before, layer(to_input(table[images], CPU)), atol=1e-5)
    other = pictures(np.random.default_rng(4))
    assert not torch.allclose(before, layer(to_input(other, CPU)), atol=1e-3)


def test_no_token_sees_another_block_but_by_how_often_values_occur(embedding):
    images = pictures(np.random.default_rng(6))
    changed = images.copy()
    changed[:, :8, :8] = changed[:, :8, :8][:, ::-1]  # the same values at other places
    before = embedding()(to_input(images, CPU))
    after = embedding()(to_input(changed, CPU))
    assert torch.allclose(before[:, 1:], after[:, 1:], atol=1e-6)
    assert not torch.allclose(before[:, 0], after[:, 0], atol=1e-3)


@pytest.mark.parametrize("kind", ["convolution", "residual", "ordered", "learned"])
def test_a_network_without_positions_ranks_every_order_of_blocks_alike(kind):
    torch.manual_seed(0)
    network = EndToEndNetwork(
        NetworkConfig(
            patch_size=8,
            dim=16,
            depth=1,
            heads=2,
            positions="none",
            embedding=kind,
            feature_dim=8,
            height=16,
            width=24,
            classes=3,
        )
    ).eval()
    images = pictures(np.random.default_rng(7))
    one = network(to_input(images, CPU))
    assert torch.allclose(one, network(to_input(encrypted(images, 8, 0), CPU)), atol=1e-5)
    assert not torch.allclose(one, network(to_input(encrypted(images, 8, 3), CPU)), atol=1e-3)


def test_what_is_learnt_for_values_undoes_a_table():
    """Where the numbers move along with their values, a table changes no token."""
    images = pictures(np.random.default_rng(8))
    layer = BlockEmbedding((16, 24), 8, embed_dim=5, learned=2)
    with torch.no_grad():
        layer.layers[0].weight[:, :3] = 0  # blind to the pixels themselves
    tables = np.stack([np.random.default_rng(each).permutation(256) for each in range(3)])
    changed = np.stack([tables[each][images[..., each]] for each in range(3)], axis=3)
    before = layer(to_input(images, CPU))
    assert not torch.allclose(layer(to_input(changed.astype(np.uint8), CPU)), before, atol=1e-3)
    with torch.no_grad():
        moved = torch.from_numpy(tables + 256 * np.arange(3)[:, None]).flatten()
        layer.colours.weight[moved] = layer.colours.weight.clone()
    assert torch.allclose(layer(to_input(changed.astype(np.uint8), CPU)), before, atol=1e-5)


def test_an_unknown_embedding_is_refused():
    with pytest.raises(ValueError, match="embedding must be"):
        NetworkConfig(embedding="sine")
