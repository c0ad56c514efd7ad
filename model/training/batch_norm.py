"""Batch norms in training: over all processes' images, and for an image that is alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, distributed, nn
from torch.autograd import Function
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm


class SynchronisedNorm(_BatchNorm):
    """A batch norm whose statistics are those of all processes' images.

    It shares the parameters and statistics of the norm that it stands for, under their names, and
    applies the activation that timm puts behind one. On GPUs PyTorch's SyncBatchNorm does the
    same faster; it knows no others.
    """

    def __init__(self, norm: _BatchNorm) -> None:
        """Take the place of a norm with weights and running statistics."""
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        for name, statistic in norm.named_buffers(recurse=False):
            setattr(self, name, statistic)
        self.drop = getattr(norm, "drop", nn.Identity())
        self.act = getattr(norm, "act", nn.Identity())

    def forward(self, maps: Tensor) -> Tensor:
        """Return (n, channels, ...) maps normed by all processes' maps; n may be 0."""
        mean, variance = cast("Tensor", self.running_mean), cast("Tensor", self.running_var)
        if self.training:
            mean, variance = self._statistics(maps.float())
        shape = (1, -1, *[1] * (maps.ndim - 2))
        scale = (variance + self.eps).rsqrt() * self.weight
        normed = (maps.float() - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)
        return cast("Tensor", self.act(self.drop(normed.to(maps.dtype))))

    def _statistics(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of each channel, and let the running ones follow."""
        running_mean = cast("Tensor", self.running_mean)
        running_variance = cast("Tensor", self.running_var)
        dims = [0, *range(2, maps.ndim)]
        # Around the running mean, the difference of squares below loses few digits.
        origin = running_mean.clone()
        shifted = maps - origin.view(1, -1, *[1] * (maps.ndim - 2))
        count = maps.new_full((1,), maps.numel() // maps.shape[1])
        sums = torch.cat([shifted.sum(dims), shifted.square().sum(dims), count])
        found: Tensor = _Sum.apply(sums)
        channels = len(origin)
        first, second, total = found[:channels], found[channels:-1], found[-1]
        offset = first / total
        variance = (second / total - offset.square()).clamp(min=0)
        with torch.no_grad():
            cast("Tensor", self.num_batches_tracked).add_(1)
            momentum = cast("float", self.momentum)
            running_mean.lerp_(origin + offset, momentum)
            running_variance.lerp_(variance * total / (total - 1), momentum)
        return origin + offset, variance


class _Sum(Function):
    """The sum over all processes; so is its gradient, as each one's loss depends on it."""

    @staticmethod
    def forward(_context: FunctionCtx, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_context: FunctionCtx, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


def synchronise(network: nn.Module, device: torch.device) -> None:
    """Put a norm over all processes in the place of each batch norm, in the network itself."""
    for name, child in network.named_children():
        if not isinstance(child, _BatchNorm):
            synchronise(child, device)
        elif device.type == "cuda":
            # It keeps the activation that timm puts behind one.
            setattr(network, name, convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
        else:
            setattr(network, name, SynchronisedNorm(child))


@contextmanager
def running_statistics(network: nn.Module, *, used: bool) -> Iterator[None]:
    """Let the batch norms of a network in training use their running statistics, if `used`.

    So an image that has no other beside it trains the network too: of its own maps, which may be
    one pixel, there is no variance to speak of.
    """
    norms = [each for each in network.modules() if used and isinstance(each, _BatchNorm)]
    for each in norms:
        each.eval()
    try:
        yield
    finally:
        for each in norms:
            each.train()
