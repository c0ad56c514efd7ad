"""The steps of a training: change and encrypt a batch, run it forward, follow its gradient."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from cipherlens.model.config import LoopConfig
from cipherlens.model.data.augmentation import augment
from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.evaluate import evaluate
from cipherlens.model.networks.network import ClassifyingNetwork, RetrievalNetwork, to_input
from cipherlens.model.precision import autocast
from cipherlens.model.training.batch_norm import running_statistics
from cipherlens.model.training.distributed import Processes
from cipherlens.model.training.recipes import LabelRecipe, Recipe

# Each epoch or step seeds one generator per purpose: a resumed training draws what an unbroken one
# would, and the plain twin sees the batches and changes that its encrypted sibling sees.
BATCHES, AUGMENTATION, ENCRYPTION, DROPOUT = range(4)


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

    def batches(self, epoch: int) -> list[NDArray[np.intp]]:
        """Return the batches of an epoch, from 1, as positions of images."""
        draw = np.random.default_rng([self.config.seed, epoch, BATCHES])
        return list(self.recipe.batches(self.images.labels, draw))

    def step(
        self,
        network: RetrievalNetwork,
        optimizer: Optimizer,
        batch: NDArray[np.intp],
        moment: tuple[int, int],
    ) -> Tensor:
        """Return the `LossParts.values` of a batch, after the optimizer has followed its gradient.

        `moment` is the epoch and the step in it, which seed the draws. All processes return the
        same values.
        """
        images = self.images.take(batch)
        torch.manual_seed(int(self._draw(*moment, DROPOUT, self.processes.rank).integers(2**63)))
        outputs, logits, order = self._forward(network, images, moment)
        labels = torch.from_numpy(images.labels[order]).to(self.device)
        parts = cast("LabelRecipe", self.recipe).loss(outputs, logits, labels)
        optimizer.zero_grad(set_to_none=True)
        parts.total.backward()  # type: ignore[no-untyped-call]
        self.processes.add_gradients(network.parameters())
        optimizer.step()
        return parts.values()

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

    def _forward(
        self, network: RetrievalNetwork, images: PreparedImages, moment: tuple[int, int]
    ) -> tuple[Tensor, Tensor, NDArray[np.intp]]:
        """Return a batch's outputs and logits, and the order of its images in them.

        Each orientation is a forward pass of its own; the loss then sees one batch. Every process
        changes and encrypts the whole batch, so that the draws are those of one process, and runs
        its part forward.
        """
        draw, secret = (self._draw(*moment, each) for each in (AUGMENTATION, ENCRYPTION))
        outputs, orders = [], []
        for positions, pixels in by_shape(images.images):
            changed = augment(pixels, self.config.augmentation, draw)
            encrypted = self.encryptor(changed, secret)
            own = self.processes.parts(np.arange(len(encrypted)))[self.processes.rank]
            with running_statistics(network, used=len(encrypted) == 1), self._autocast():
                outputs.append(network(to_input(encrypted[own], self.device)))
            orders.append(self.processes.parts(positions))
        rows = torch.cat(outputs)
        with self._autocast():
            logits = cast("ClassifyingNetwork", network).classify(rows)
        shares = [np.concatenate(each) for each in zip(*orders, strict=True)]
        lengths = [len(each) for each in shares]
        gather = self.processes.gather
        order = np.concatenate(shares)
        return gather(rows.float(), lengths), gather(logits.float(), lengths), order

    def _autocast(self) -> AbstractContextManager[None]:
        return autocast(self.device, self.precision)

    def _draw(self, epoch: int, index: int, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.config.seed, epoch, *purpose, index])
