"""What a network costs: its parameters as Keras counts them, and its multiply-accumulates."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode


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
    try:
        # How the counter marks modules needs gradients in some networks; on meta they take nothing.
        with (
            torch.set_grad_enabled(device.type == "meta"),
            FlopCounterMode(display=False) as counter,
        ):
            network.eval()(torch.zeros(1, 3, height, width, device=device))
    finally:
        network.train(training)
    # The counter takes a multiplication and an addition as two.
    return int(counter.get_total_flops()) // 2
