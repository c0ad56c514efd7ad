"""The arithmetic a network runs in on a device: float32, or bfloat16 where it is fast."""

from contextlib import AbstractContextManager
from typing import Any, TypeVar

import torch
from torch import nn

from cipherlens.base.fields import check_choice
from cipherlens.model.config import PRECISIONS

Network = TypeVar("Network", bound=nn.Module)


def resolve_device(name: str) -> torch.device:
    """Return the device called "cpu", "cuda:N" or "auto" (the first GPU if there is one).

    Raises:
        ValueError: if the name is unknown or this machine has no such device.
    """
    if name == "auto":
        name = "cuda:0" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device must be cpu, cuda:N or auto, got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device must be cpu, cuda:N or auto, got {name!r}")
    # Of an index beyond 127, torch.device makes a negative one.
    if device.type == "cuda" and not 0 <= (device.index or 0) < torch.cuda.device_count():
        raise ValueError(f"device {name} is not here: {torch.cuda.device_count()} GPUs found")
    return device


def resolve_precision(precision: str, device: torch.device) -> str:
    """Return "fp32" or "bf16"; "auto" is bf16 where the device computes in it natively.

    Raises:
        ValueError: if precision is none of auto, fp32, bf16.
    """
    check_choice("precision", precision, PRECISIONS)
    if precision != "auto":
        return precision
    return "bf16" if _native_bf16(device) else "fp32"


def autocast(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return the context in which matrix products run in a resolved precision.

    With "fp32" the process gives up TensorFloat-32 for good: on a GPU, PyTorch would take it for
    convolutions, and the backward pass, which the context does not hold, must not take it either.
    """
    if precision == "fp32":
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def use_threads(threads: int | None) -> None:
    """Let the calling thread compute with so many threads on the CPU; None changes nothing."""
    if threads is not None:
        torch.set_num_threads(threads)


def for_inference(network: Network, device: torch.device, precision: str) -> Network:
    """Return a network moved to the device and made ready to run in a resolved precision.

    With "bf16" it holds the weights of its matrix products and convolutions in that type already:
    `autocast` would round them to the same numbers in every forward pass. It is no good for
    training any more.
    """
    network = network.to(device).eval().requires_grad_(requires_grad=False)
    if precision == "bf16":
        for module in network.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.to(torch.bfloat16)
    return network


def _native_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    read = getattr(torch.cpu, "get_capabilities", None)  # older torch cannot tell: float32
    capabilities: dict[str, Any] = read() if read else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
