"""The steps of a head alone, over what a backbone that learns nothing makes of pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from cipherlens.model.data.images import Pixels
from cipherlens.model.networks.network import RetrievalNetwork, to_input
from cipherlens.model.precision import autocast
from cipherlens.model.training.losses import LossParts
from cipherlens.model.training.steps import Steps

POOLED_AT_ONCE = 16
"""Cipher-images for `pooled`; on a CPU more blocks at a time leave the cache."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PooledSteps(Steps):
    """Steps whose batches are positions of pictures; what is made of them is no slow work."""

    def ready(self, epoch: int, start: int) -> Iterator[NDArray[np.intp]]:
        """Yield the batches of an epoch, from number `start` on, as positions of pictures."""
        return iter(self.batches(epoch)[start:])


def of_one_process(steps: Steps) -> dict[str, Any]:
    """Return the fields that `PooledSteps` take over from steps in general.

    Raises:
        ValueError: if there are several processes.
    """
    if steps.processes.count > 1:
        raise ValueError(f"a head alone learns in one process, got {steps.processes.count}")
    return {each.name: getattr(steps, each.name) for each in fields(Steps)}


@torch.no_grad()
def pooled(steps: Steps, network: RetrievalNetwork, encrypted: Pixels) -> Tensor:
    """Return what the backbone makes of cipher-images of one orientation, (n, width) float32.

    Args:
        steps: they say where, and in which precision.
        network: one whose backbone learns nothing.
        encrypted: (n, h, w, 3) uint8.
    """
    with autocast(steps.device, steps.precision):
        rows: Tensor = network.backbone(to_input(encrypted, steps.device))
    return rows.float()


def follow(parts: LossParts, optimizer: Optimizer) -> Tensor:
    """Let the optimizer follow the gradient of a batch; return the `LossParts.values`."""
    optimizer.zero_grad(set_to_none=True)
    parts.total.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return parts.values()
