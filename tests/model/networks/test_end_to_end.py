from dataclasses import replace

import numpy as np
import pytest
import torch

from cipherlens.model.config import NetworkConfig
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.network import to_input

# Computed by this network with timm 1.0.31 and torch 2.14.1, float32 on a CPU.
GOLDEN = [
    [-0.64420, 0.58992, 0.81715, -0.10804, -0.81528, -0.36480, 0.71455, 0.56100],
    [-0.63659, 0.59224, 0.81331, -0.11615, -0.81254, -0.35478, 0.71286, 0.55209],
]


def blocks_to_image(blocks: torch.Tensor, rows: int) -> torch.Tensor:
    """Return (1, 3, h, w) from (n, 3, p, p) blocks in raster order, `rows` rows of them."""
    columns = len(blocks) // rows
    lines = [torch.cat(list(blocks[r * columns : (r + 1) * columns]), dim=2) for r in range(rows)]
    return torch.cat(lines, dim=1)[None]


def test_block_i_gets_position_i_in_both_orientations(network: EndToEndNetwork) -> None:
    """The same blocks in raster order give the same feature, landscape (2x3) or portrait (3x2)."""
    blocks = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        network.backbone.pos_embed.normal_(generator=torch.Generator().manual_seed(2))
        landscape = network(blocks_to_image(blocks, rows=2))
        portrait = network(blocks_to_image(blocks, rows=3))
        swapped = network(blocks_to_image(blocks[[1, 0, 2, 3, 4, 5]], rows=3))
    assert portrait.shape == (1, 8)
    torch.testing.assert_close(portrait, landscape)
    assert (swapped - portrait).abs().max() > 1e-3


def test_without_positions_the_order_of_blocks_does_not_matter(
    network_config: NetworkConfig,
) -> None:
    network = EndToEndNetwork(replace(network_config, positions="none")).eval()
    blocks = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        features = network(blocks_to_image(blocks, rows=2))
        shuffled = network(blocks_to_image(blocks[[3, 1, 5, 0, 2, 4]], rows=2))
    torch.testing.assert_close(shuffled, features)


def test_the_head_is_the_papers(network: EndToEndNetwork) -> None:
    """f = tanh(W1 LN(z)) with one LN, taken at the class token; pred = W2 f."""
    pixels = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(3)) * 2 - 1
    with torch.no_grad():
        tokens = network.backbone.patch_embed(pixels)
        tokens = torch.cat([network.backbone.cls_token.expand(2, -1, -1), tokens], dim=1)
        last = network.backbone.blocks(tokens + network.backbone.pos_embed)[:, 0]
        norm = network.backbone.norm
        normal = torch.nn.functional.layer_norm(last, (16,), norm.weight, norm.bias, norm.eps)
        feature = torch.tanh(normal @ network.feature.weight.T + network.feature.bias)
        torch.testing.assert_close(network(pixels), feature)
        logits = feature @ network.classifier.weight.T + network.classifier.bias
        torch.testing.assert_close(network.classify(feature), logits)


def test_golden_features(network: EndToEndNetwork) -> None:
    """Fixed weights and pixels give fixed features: a change of timm or torch would show."""
    with torch.no_grad():
        for number, (name, each) in enumerate(sorted(network.named_parameters())):
            wave = torch.sin(torch.arange(each.numel(), dtype=torch.float64) * 0.7 + number)
            offset = 1 if name.endswith(("norm.weight", "norm1.weight", "norm2.weight")) else 0
            each.copy_((wave.reshape(each.shape) * 0.1 + offset).float())
        ramp = np.arange(2 * 16 * 24 * 3).reshape(2, 16, 24, 3) ** 2 // 7 % 256
        found = network(to_input(ramp.astype(np.uint8), torch.device("cpu")))
    torch.testing.assert_close(found, torch.tensor(GOLDEN), atol=2e-5, rtol=0)


def test_input_is_scaled_to_one() -> None:
    pixels = np.zeros((1, 2, 3, 3), dtype=np.uint8)
    pixels[0, 1, 2] = (255, 0, 51)
    converted = to_input(pixels, torch.device("cpu"))
    assert converted.shape == (1, 3, 2, 3)
    torch.testing.assert_close(converted[0, :, 1, 2], torch.tensor([1.0, -1.0, -0.6]))


def test_another_backbone_by_its_timm_name() -> None:
    config = NetworkConfig(backbone="test_resnet", feature_dim=4, height=32, width=48, classes=2)
    network = EndToEndNetwork(config).eval()
    with torch.no_grad():
        features = network(torch.zeros(2, 3, 48, 32))
    assert features.shape == (2, 4)
    assert network.classify(features).shape == (2, 2)


def test_an_unknown_backbone() -> None:
    with pytest.raises(ValueError, match="got 'no_such_network'"):
        EndToEndNetwork(NetworkConfig(backbone="no_such_network"))
