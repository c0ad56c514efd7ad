"""The steps of a training: run a batch forward, compare what comes out, follow the gradient."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from cipherlens.model.config import LabelConfig, LoopConfig
from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.evaluate import evaluate
from cipherlens.model.networks.network import ClassifyingNetwork, RetrievalNetwork
from cipherlens.model.training.distributed import Processes
from cipherlens.model.training.gradients import Forward, Gradients
from cipherlens.model.training.loading import (
    BATCHES,
    DROPOUT,
    Batch,
    BatchMaker,
    Moment,
    draw,
    loaded,
)
from cipherlens.model.training.recipe import LabelRecipe, Recipe

Step: TypeAlias = Callable[[Any, Moment], Tensor]
"""Returns the `LossParts.values` of what `Steps.ready` made, after the optimizer has followed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Steps:
    """What the steps of a training have in common: data, draws, arithmetic, processes."""

    config: LoopConfig
    recipe: Recipe
    images: PreparedImages
    encryptor: Encryptor
    device: torch.device
    precision: str
    processes: Processes
    workers: int = 0

    def batches(self, epoch: int) -> list[NDArray[np.intp]]:
        """Return the batches of an epoch, from 1, as positions of images."""
        return list(self.recipe.batches(self.images.labels, draw(self.config, epoch, BATCHES)))

    def ready(self, epoch: int, start: int) -> Iterator[Any]:
        """Yield what a step takes, batch by batch of an epoch, from number `start` on."""
        maker = BatchMaker(
            config=cast("LabelConfig", self.config),
            images=self.images,
            encryptor=self.encryptor,
            processes=self.processes,
        )
        asked = [(each, (epoch, index)) for index, each in enumerate(self.batches(epoch))]
        return loaded(maker, asked[start:], self.workers)

    def step(self, network: RetrievalNetwork, optimizer: Optimizer) -> Step:
        """Return what makes a step; all processes have the same values of it."""
        recipe = cast("LabelRecipe", self.recipe)
        forward = Forward(cast("ClassifyingNetwork", network), recipe, self.device, self.precision)
        gradients = Gradients(forward, recipe.loss, self.processes, self.device)
        whole = cast("LabelConfig", self.config).pieces == 1
        found = gradients.of_batch if whole else gradients.in_pieces

        def step(batch: Batch, moment: Moment) -> Tensor:
            epoch, index = moment
            dropped = draw(self.config, epoch, DROPOUT, self.processes.rank, index)
            optimizer.zero_grad(set_to_none=True)
            parts = found(batch, int(dropped.integers(2**63)))
            optimizer.step()
            return parts.values()

        return step

    def begin(self, network: RetrievalNetwork) -> bool:  # noqa: ARG002
        """Do what comes before the first step; return whether the network is of use by then."""
        return False

    def score(self, network: RetrievalNetwork, validation: PreparedImages) -> float | None:
        """Return the mAP of the validation pictures; None if there is nothing to retrieve."""
        try:
            evaluation = evaluate(network, validation, self.encryptor, precision=self.precision)
        except DataError:
            return None
        return evaluation.mean_average_precision
