"""The steps of a head that learns from labels, over what is computed once of the pictures."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize
from torch.optim import Optimizer

from cipherlens.model.config import BlockTrainConfig
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.errors import DataError
from cipherlens.model.evaluation.evaluate_vectors import evaluate_vectors
from cipherlens.model.evaluation.retrieval_task import check_pairs
from cipherlens.model.networks.block_set import BlockSetNetwork
from cipherlens.model.networks.network import RetrievalNetwork
from cipherlens.model.training.head_start import fit_gate
from cipherlens.model.training.loading import DROPOUT, ENCRYPTION, Moment, draw
from cipherlens.model.training.recipes import BlockRecipe
from cipherlens.model.training.steps import POOLED_AT_ONCE, Step, Steps
from cipherlens.model.training.teacher import Progress, changed_copies

HELD_OUT = 2**31
"""The number under which validation pictures are encrypted; copies have those from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadSteps(Steps):
    """Steps over `rows`, (copies, n, width): what is pooled over copies of the training part."""

    rows: Tensor
    held_out: Tensor
    """(m, width) of the validation part."""

    gate: dict[str, Tensor]
    """The state of the gate that has looked."""

    def begin(self, network: RetrievalNetwork) -> bool:
        """Give the network the gate, and bring what is pooled to one spread."""
        started = cast("BlockSetNetwork", network)
        started.backbone.gate.load_state_dict(self.gate)
        flat = self.rows.flatten(0, 1).double()
        with torch.no_grad():
            started.mean.copy_(flat.mean(dim=0))
            started.spread.copy_(flat.std(dim=0, correction=0) + 1e-3)
        return False

    def ready(self, epoch: int, start: int) -> Iterator[NDArray[np.intp]]:
        """Yield the batches of an epoch, from number `start` on, as positions of pictures."""
        return iter(self.batches(epoch)[start:])

    def step(self, network: RetrievalNetwork, optimizer: Optimizer) -> Step:
        """Return what makes a step; each picture comes as one of its copies."""
        learning, recipe = cast("BlockSetNetwork", network), cast("BlockRecipe", self.recipe)
        labels = torch.from_numpy(self.images.labels)

        def step(batch: NDArray[np.intp], moment: Moment) -> Tensor:
            chosen = draw(self.config, *moment, ENCRYPTION)
            dropped = draw(self.config, *moment, DROPOUT)
            copies = chosen.integers(len(self.rows), size=len(batch))
            torch.manual_seed(int(dropped.integers(2**63)))
            outputs = learning.semantic(self.rows[copies, batch].to(self.device))
            logits = recipe.logits(learning, outputs)
            parts = recipe.loss(outputs, logits, labels[batch].to(self.device))
            optimizer.zero_grad(set_to_none=True)
            parts.total.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            return parts.values()

        return step

    @torch.inference_mode()
    def score(self, network: RetrievalNetwork, validation: PreparedImages) -> float | None:
        """Return the mAP of the validation pictures by what is learnt; None if it has no pairs."""
        try:
            check_pairs(validation)
        except DataError:
            return None
        network.eval()
        found = cast("BlockSetNetwork", network).semantic(self.held_out.to(self.device))
        vectors, labels = normalize(found).cpu().numpy(), validation.labels
        judged = evaluate_vectors(vectors, vectors, labels, labels, exclude_self=True)
        return judged.mean_average_precision


def with_rows(steps: Steps, validation: PreparedImages, progress: Progress) -> HeadSteps:
    """Return the steps of a head whose pictures have been looked at.

    Rows take 4 bytes for each of some 1,600 numbers of each copy of a picture, in memory. They are
    the same at every call, as the stages' weights, the draws and the pictures are.

    Args:
        steps: what they have in common with those of other trainings; settings of a head.
        validation: the pictures that are ranked after each epoch.
        progress: called with the number of cipher-images that were looked at, and of all.

    Raises:
        PretrainedError: if the stages' weights cannot be had or do not fit.
        ValueError: if there are several processes.
    """
    config = cast("BlockTrainConfig", steps.config)
    if steps.processes.count > 1:
        raise ValueError(f"a head learns in one process, got {steps.processes.count}")
    with torch.random.fork_rng(devices=[]):
        network = cast("BlockSetNetwork", steps.recipe.build())
    fit_gate(network.backbone, steps.images, steps.encryptor)
    network.to(steps.device)
    total, done = config.copies * len(steps.images) + len(validation), 0

    def looked_at(images: PreparedImages, copy: int, number: int) -> Tensor:
        nonlocal done
        rows = torch.empty(len(images), network.backbone.width)
        secret = draw(config, 0, number, ENCRYPTION)
        for places, pixels in by_shape(images.images, POOLED_AT_ONCE):
            changed = changed_copies(pixels, places, np.full(len(places), copy), config)
            rows[places] = steps.pooled(network, steps.encryptor(changed, secret)).cpu()
            done += len(places)
            progress(done, total)
        return rows

    rows = [looked_at(steps.images, copy, copy) for copy in range(config.copies)]
    return HeadSteps(
        **{each.name: getattr(steps, each.name) for each in fields(Steps)},
        rows=torch.stack(rows),
        held_out=looked_at(validation, 0, HELD_OUT),
        gate=network.backbone.gate.state_dict(),
    )
