"""Batch norms: alone, the synchronised one is PyTorch's; a lone image uses running statistics."""

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import distributed, nn

from cipherlens.model.training.batch_norm import SynchronisedNorm, running_statistics, synchronise


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A group of this process alone."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/g", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def trained(norm: nn.Module, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return outputs and the gradient of the inputs after two steps and an evaluation."""
    maps = maps.clone().requires_grad_()
    norm.train()
    norm(maps * 3)
    outputs = norm(maps)
    (outputs**3).sum().backward()
    assert maps.grad is not None
    norm.eval()
    return torch.cat([outputs, norm(maps)]).detach(), maps.grad


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(3), BatchNormAct2d(3, act_layer=nn.SiLU)])
def test_alone_it_is_the_norm_that_it_stands_for(norm: nn.Module, group: None) -> None:
    maps = torch.randn(5, 3, 4, 2, generator=torch.Generator().manual_seed(0)) * 2 + 40
    twin = SynchronisedNorm(copy.deepcopy(norm))
    for found, expected in zip(trained(twin, maps), trained(norm, maps), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(twin.state_dict(), norm.state_dict(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("device", "kind"), [("cpu", SynchronisedNorm), ("cuda", nn.SyncBatchNorm)]
)
def test_every_norm_of_a_network_is_replaced_and_its_weights_keep_their_names(
    device: str, kind: type[nn.Module]
) -> None:
    network = timm.create_model("test_resnet", pretrained=False)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    order = [name for name, _ in network.named_parameters()]
    norms = sum(isinstance(each, nn.BatchNorm2d) for each in network.modules())
    activations = sum(isinstance(each, nn.ReLU) for each in network.modules())
    synchronise(network, torch.device(device))
    assert norms == sum(isinstance(each, kind) for each in network.modules()) > 0
    assert activations == sum(isinstance(each, nn.ReLU) for each in network.modules()) > 0
    assert not any(isinstance(each, nn.BatchNorm2d) for each in network.modules())
    torch.testing.assert_close(dict(network.state_dict()), before)
    assert [name for name, _ in network.named_parameters()] == order


def test_a_lone_image_uses_running_statistics_and_leaves_them() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout())
    lone = torch.randn(1, 3, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network(lone)
    before = copy.deepcopy(network[0].state_dict())
    with running_statistics(network, used=True):
        assert network[1].training
        torch.testing.assert_close(network[0](lone), lone, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network[0].state_dict(), before)
    assert network[0].training
    with running_statistics(network, used=False):
        assert network[0].training
