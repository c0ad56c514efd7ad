import pytest
import torch
from torch import nn

from cipherlens.model.config import HashNetworkConfig
from cipherlens.model.networks.cost import multiply_accumulates, parameter_count
from cipherlens.model.networks.hash_network import HashNetwork

# DLHEIR Table 2, in units of 10^5.
TABLE_2 = [
    ("dlheir", 48, 176.64),
    ("dlheir", 32, 176.54),
    ("dlheir", 24, 176.49),
    ("dlheir", 12, 176.41),
    ("densenet201", 48, 184.19),
    ("densenet201", 32, 183.87),
    ("densenet201", 24, 183.71),
    ("densenet201", 12, 183.46),
]


def network_without_weights(backbone: str, bits: int) -> HashNetwork:
    with torch.device("meta"):
        return HashNetwork(HashNetworkConfig(backbone=backbone, bits=bits, classes=100))


@pytest.mark.parametrize(("backbone", "bits", "expected"), TABLE_2)
def test_parameters_are_those_of_table_2(backbone: str, bits: int, expected: float) -> None:
    network = network_without_weights(backbone, bits)
    assert round(parameter_count(network) / 1e5, 2) == expected


def test_the_parts_of_table_2() -> None:
    """The terms of the decoded counts, so that no two errors can cancel in a sum."""
    original = network_without_weights("densenet201", 48)
    assert parameter_count(original.backbone) == 18_321_984
    ours = network_without_weights("dlheir", 48)
    block = ours.backbone.features.inverted_residual
    assert parameter_count(block) == 2_947_520
    assert parameter_count(ours.backbone) - parameter_count(block) == 14_686_400
    for network, channels in ((original, 1920), (ours, 512)):
        assert parameter_count(network.head) == channels * 48 + 48 + 4 * 48
        assert parameter_count(network.classifier) == 100 * 48 + 100


def test_parameters_of_a_norm_without_statistics() -> None:
    assert parameter_count(nn.BatchNorm2d(5)) == 20
    assert parameter_count(nn.BatchNorm2d(5, track_running_stats=False)) == 10


def test_multiply_accumulates_of_known_layers() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 6 * 5, 7))
    network.train()
    assert multiply_accumulates(network, 6, 5) == 6 * 5 * 4 * 3 * 9 + 4 * 6 * 5 * 7
    assert network.training


def test_one_image_is_enough_for_a_norm() -> None:
    """A norm in training refuses one value for each channel: the network is run as in use."""
    network = nn.Sequential(nn.Conv2d(3, 4, 2), nn.BatchNorm2d(4)).train()
    assert multiply_accumulates(network, 2, 2) == 4 * 3 * 4
    assert network.training
    assert network[1].num_batches_tracked == 0


@pytest.mark.parametrize(("side", "expected"), [(224, 4.29), (384, 12.61)])
def test_multiply_accumulates_of_densenet201(side: int, expected: float) -> None:
    """The published figures in units of 10^9, to the last digit: within 0.005."""
    network = network_without_weights("densenet201", 48).backbone
    assert multiply_accumulates(network, side, side) / 1e9 == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("side", [224, 384])
def test_the_replaced_layers_hardly_save_compute(side: int) -> None:
    """At 1/32 of the side the new block costs nearly what the 14 layers cost."""
    ours, original = (
        multiply_accumulates(network_without_weights(backbone, 48), side, side)
        for backbone in ("dlheir", "densenet201")
    )
    assert ours / original == pytest.approx(0.9925, abs=0.0005)


def test_networks_of_other_threads_are_left_alone() -> None:
    """PyTorch's own counter hooks all modules of the process while it counts."""
    hooked = []

    class Layer(nn.Linear):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            hooks = torch.nn.modules.module
            hooked.append(bool(hooks._global_forward_hooks or hooks._global_forward_pre_hooks))
            return super().forward(pixels)

    assert multiply_accumulates(Layer(5, 7), 4, 5) == 3 * 4 * 5 * 7
    assert hooked == [False]


def test_attention_is_counted() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inward = nn.Linear(5, 5)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            tokens = self.inward(pixels)
            return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)

    heads, tokens, width = 3, 4, 5
    linear, products = tokens * width * width, 2 * tokens * tokens * width
    network = Attention().to("meta")
    assert multiply_accumulates(network, tokens, width) == heads * (linear + products)
