from collections.abc import Iterator
from copy import deepcopy

import pytest
import torch
from torch import nn

from cipherlens.model.precision import (
    autocast,
    for_inference,
    resolve_device,
    resolve_precision,
)

CPU = torch.device("cpu")


@pytest.fixture
def tensor_float() -> Iterator[None]:
    """PyTorch's TensorFloat-32 switched on for all that knows it."""
    switches = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [each.allow_tf32 for each in switches]
    for each in switches:
        each.allow_tf32 = True
    yield
    for each, value in zip(switches, before, strict=True):
        each.allow_tf32 = value


def test_only_devices_that_are_here_are_taken() -> None:
    assert resolve_device("cpu") == CPU
    for name, message in (("cuda:999", "is not here"), ("meta", "must be"), ("gpu", "must be")):
        with pytest.raises(ValueError, match=message):
            resolve_device(name)


def test_a_precision_that_is_named_is_taken() -> None:
    assert [resolve_precision(each, CPU) for each in ("fp32", "bf16")] == ["fp32", "bf16"]
    assert resolve_precision("auto", CPU) in ("fp32", "bf16")
    with pytest.raises(ValueError, match="precision must be one of auto, fp32, bf16"):
        resolve_precision("fp16", CPU)


def test_matrix_products_run_in_the_precision() -> None:
    ones = torch.ones(2, 2)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(CPU, precision):
            assert (ones @ ones).dtype == dtype


def test_float32_is_not_tensor_float(tensor_float: None) -> None:
    with autocast(CPU, "bf16"):
        assert torch.backends.cudnn.allow_tf32
    with autocast(CPU, "fp32"):
        pass
    assert not torch.backends.cudnn.allow_tf32
    assert not torch.backends.cuda.matmul.allow_tf32


def test_weights_that_are_rounded_beforehand_give_the_same_numbers() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.GELU(), nn.Flatten(), nn.Linear(8 * 16, 5), nn.LayerNorm(5)
    ).eval()
    images = torch.randn(2, 3, 6, 6)
    for precision in ("fp32", "bf16"):
        with torch.inference_mode(), autocast(CPU, precision):
            expected = network(images)
            prepared = for_inference(deepcopy(network), CPU, precision)
            assert torch.equal(prepared(images), expected)
        kept = {each.dtype for each in prepared[4].parameters()}
        assert kept == {torch.float32}  # autocast leaves normalisation in float32
    assert prepared[3].weight.dtype == torch.bfloat16
    assert not any(each.requires_grad for each in prepared.parameters())
