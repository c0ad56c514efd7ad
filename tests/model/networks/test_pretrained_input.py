import pytest
import torch
from timm.models import create_model
from torch import nn

from cipherlens.model.errors import PretrainedError
from cipherlens.model.networks.pretrained_input import fold_input

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures() -> torch.Tensor:
    """Return two pictures with values in [0, 1]."""
    return torch.rand(2, 3, 12, 18, generator=torch.Generator().manual_seed(0))


def normalised(values: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(each)[:, None, None] for each in (MEAN, STD))
    return (values - mean) / std


@torch.no_grad()
def outcomes(network: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what a network makes of normalised pixels, and the folded one of those in [-1, 1]."""
    expected = network(normalised(pictures()))
    network.load_state_dict(fold_input(network.state_dict(), "0", MEAN, STD))
    return expected, network(pictures() * 2 - 1)


def test_a_convolution_with_a_bias_sees_the_same() -> None:
    expected, found = outcomes(nn.Sequential(nn.Conv2d(3, 8, 3)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_a_batch_norm_takes_what_a_convolution_without_a_bias_cannot() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8))
    with torch.no_grad():
        network[1].running_mean.normal_()
        network[1].running_var.uniform_(0.5, 2)
    expected, found = outcomes(network.eval())
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_only_the_border_of_a_padded_convolution_differs() -> None:
    expected, found = outcomes(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1)))
    inner = (..., slice(1, -1), slice(1, -1))
    torch.testing.assert_close(found[inner], expected[inner], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found, expected, atol=1e-2)


def test_pixels_of_minus_one_to_one_need_no_change() -> None:
    weights = {"0.weight": torch.rand(2, 3, 1, 1)}
    assert fold_input(weights, "0", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)) == weights


def test_the_given_weights_stay_as_they_are() -> None:
    weights = nn.Sequential(nn.Conv2d(3, 2, 1)).state_dict()
    before = {name: each.clone() for name, each in weights.items()}
    fold_input(weights, "0", MEAN, STD)
    for name, each in before.items():
        assert torch.equal(weights[name], each)


def test_the_names_of_a_real_architecture() -> None:
    network = create_model("resnet10t", num_classes=0).eval()
    first = network.pretrained_cfg["first_conv"]
    values = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(normalised(values))
        network.load_state_dict(fold_input(network.state_dict(), first, MEAN, STD))
        found = network(values * 2 - 1)
    # All but the border of the picture is the same.
    assert torch.cosine_similarity(found, expected).item() > 0.99


@pytest.mark.parametrize("norm", [[], [nn.BatchNorm2d(5)]])
def test_nothing_that_could_take_the_shift(norm: list[nn.Module]) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), *norm)
    with pytest.raises(PretrainedError, match="0 has neither a bias nor a batch norm"):
        fold_input(network.state_dict(), "0", MEAN, STD)
