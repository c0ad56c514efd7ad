"""What a network costs: its parameters as Keras counts them, and its multiply-accumulates."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


def parameter_count(network: nn.Module) -> int:
    """Return the number of learned parameters and batch-norm statistics (DLHEIR Table 2)."""
    learned = sum(parameter.numel() for parameter in network.parameters())
    return learned + sum(
        statistic.numel()
        for module in network.modules()
        if isinstance(module, _BatchNorm)
        for statistic in (module.running_mean, module.running_var)
        if statistic is not None
    )


def multiply_accumulates(network: nn.Module, height: int, width: int) -> int:
    """Return the multiply-accumulates of convolutions and matrix products for one image.

    The network is run once on an empty (1, 3, height, width) image, in evaluation mode and on
    the device it is on; on "meta" nothing is computed.
    """
    training = network.training
    device = next(network.parameters()).device
    counter = _FlopCounter()
    try:
        with torch.no_grad(), counter:
            network.eval()(torch.zeros(1, 3, height, width, device=device))
    finally:
        network.train(training)
    # The registry takes a multiplication and an addition as two.
    return counter.flops // 2


class _FlopCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what the thread that enters it computes, by PyTorch's own formulas.

    PyTorch's `FlopCounterMode` also hooks every module of the process, to tell counts by module:
    networks at work in other threads would go through it, and PyTorch 2.4 ends them there.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute an operator and count it; one without a formula is counted by its parts."""
        kwargs = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:
                if (found := func.decompose(*args, **kwargs)) is not NotImplemented:
                    return found
        found = func(*args, **kwargs)
        if formula is not None:
            self.flops += int(formula(*args, **kwargs, out_val=found))
        return found
