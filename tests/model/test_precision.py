from collections.abc import Iterator

import pytest
import torch

from cipherlens.model.precision import autocast, resolve_device, resolve_precision

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
