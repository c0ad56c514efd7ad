import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cipherlens.model.config import HashNetworkConfig
from cipherlens.model.networks.dlheir import DlheirBackbone
from cipherlens.model.networks.hash_network import HashHead, HashNetwork, feature_maps
from cipherlens.model.networks.network import to_input

# Computed with timm 1.0.31 and torch 2.14.1, float32 on a CPU.
GOLDEN_DLHEIR = [
    [0.77983, 0.65608, 0.38446, 0.80762, 0.46781],
    [0.76217, 0.65397, 0.38271, 0.79778, 0.48219],
]
GOLDEN_RESNET = [
    [0.12076, 0.36329, 0.53847, 0.44898, 0.56275],
    [0.11790, 0.37095, 0.51606, 0.47159, 0.58967],
]


def set_waves(network: nn.Module) -> None:
    """Give every parameter and statistic fixed values, so scaled that no signal dies."""
    with torch.no_grad():
        for number, (name, each) in enumerate(sorted(network.state_dict().items())):
            if not each.is_floating_point():
                continue
            angles = torch.arange(each.numel(), dtype=torch.float64) ** 2 * 0.7 + number
            wave = torch.sin(angles).reshape(each.shape)
            if each.ndim > 1:
                each.copy_((wave * 1.4 / each[0].numel() ** 0.5).float())
            else:
                offset = 1 if name.endswith(("running_var", "weight")) else 0
                each.copy_((wave * 0.2 + offset).float())


def pictures(height: int, width: int) -> Tensor:
    """Return two fixed pictures, the second of half the brightness, as a network takes them."""
    values = np.arange(2 * height * width * 3).reshape(2, height, width, 3) ** 2 // 7 % 256
    values[1] //= 2
    return to_input(values.astype(np.uint8), torch.device("cpu"))


class SmallDlheir(nn.Module):
    """DLHEIR's backbone and head with few layers and channels."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = DlheirBackbone(growth_rate=4, layers=(1, 2, 1, 2), channels=6)
        self.head = HashHead(6, 5)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.backbone.forward_features(pixels))


def test_golden_activations_of_dlheir() -> None:
    network = SmallDlheir().eval()
    set_waves(network)
    with torch.no_grad():
        found = network(pictures(64, 96))
    torch.testing.assert_close(found, torch.tensor(GOLDEN_DLHEIR), atol=2e-5, rtol=0)


def test_golden_activations_of_a_timm_backbone() -> None:
    network = HashNetwork(HashNetworkConfig(backbone="test_resnet", bits=5, classes=3)).eval()
    set_waves(network)
    with torch.no_grad():
        found = network(pictures(64, 96))
    torch.testing.assert_close(found, torch.tensor(GOLDEN_RESNET), atol=2e-5, rtol=0)


def test_the_head_is_the_papers() -> None:
    """Convolution, batch norm, sigmoid and then the mean over places, recomputed by hand."""
    head = HashHead(4, 3).eval()
    set_waves(head)
    maps = torch.rand(2, 4, 2, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        weight = head.convolution.weight[:, :, 0, 0]
        sums = torch.einsum("bc,nchw->nbhw", weight, maps) + head.convolution.bias[:, None, None]
        norm = head.norm
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - norm.running_mean * scale
        normal = sums * scale[:, None, None] + shift[:, None, None]
        expected = (1 / (1 + torch.exp(-normal))).mean(dim=3).mean(dim=2)
        torch.testing.assert_close(head(maps), expected)


def test_the_dense_layers_are_densenet201s_without_the_last_14() -> None:
    with torch.device("meta"):
        ours = HashNetwork(HashNetworkConfig(backbone="dlheir")).backbone.state_dict()
        whole = HashNetwork(HashNetworkConfig(backbone="densenet201")).backbone.state_dict()
    kept = {name: each.shape for name, each in ours.items() if "inverted_residual" not in name}
    assert kept.items() <= {name: each.shape for name, each in whole.items()}.items()
    lost = {".".join(name.split(".")[1:3]) for name in set(whole) - set(kept)} - {
        f"norm5.{each}"
        for each in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    }
    assert lost == {f"denseblock4.denselayer{number}" for number in range(19, 33)}


def test_the_new_block_is_linear_at_its_end_and_only_there() -> None:
    with torch.device("meta"):
        block = DlheirBackbone().features.inverted_residual
    assert [name for name, _ in block.named_children()] == ["expand", "depthwise", "project"]
    shapes = [tuple(each.shape) for each in block.parameters() if each.ndim == 4]
    assert shapes == [(1472, 1472, 1, 1), (1472, 1, 3, 3), (512, 1472, 1, 1)]
    assert [isinstance(each.bn.act, nn.ReLU6) for each in block] == [True, True, False]
    assert isinstance(block.project.bn.act, nn.Identity)


@pytest.mark.parametrize(
    "backbone", ["test_resnet", "test_vit", "test_efficientnet", "test_convnext"]
)
def test_any_backbone_carries_the_head(backbone: str) -> None:
    network = HashNetwork(HashNetworkConfig(backbone=backbone, bits=12, classes=4)).eval()
    with torch.no_grad():
        activations = network(torch.zeros(2, 3, 160, 160))
        logits = network.classify(activations)
    assert activations.shape == (2, 12)
    assert ((activations > 0) & (activations < 1)).all()
    torch.testing.assert_close(
        logits, activations @ network.classifier.weight.T + network.classifier.bias
    )


def test_tokens_become_maps_without_the_class_token() -> None:
    backbone = nn.Identity()
    backbone.num_prefix_tokens = 1
    tokens = torch.arange(12.0).reshape(1, 4, 3)  # a class token, then three places
    maps = feature_maps(backbone, tokens)
    assert maps.shape == (1, 3, 3, 1)
    assert torch.equal(maps[0, :, :, 0].T, tokens[0, 1:])


def test_channels_that_come_last_are_moved() -> None:
    backbone = nn.Identity()
    backbone.output_fmt = "NHWC"
    features = torch.rand(2, 4, 5, 3)
    assert torch.equal(feature_maps(backbone, features), features.permute(0, 3, 1, 2))
    assert feature_maps(nn.Identity(), features) is features


def test_an_unknown_backbone() -> None:
    with pytest.raises(ValueError, match="must be 'dlheir' or a timm name, got 'no_such_network'"):
        HashNetwork(HashNetworkConfig(backbone="no_such_network"))
