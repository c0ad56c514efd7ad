"""The steps of a head that learns from labels, over what is computed once of the pictures."""

from dataclasses import dataclass
from pathlib import Path
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
from cipherlens.model.training.block_recipes import BlockRecipe
from cipherlens.model.training.head_start import fit_gate
from cipherlens.model.training.kept import computed_once
from cipherlens.model.training.loading import DROPOUT, ENCRYPTION, Moment, draw
from cipherlens.model.training.pooled_steps import (
    POOLED_AT_ONCE,
    PooledSteps,
    follow,
    of_one_process,
    pooled,
)
from cipherlens.model.training.steps import Step, Steps
from cipherlens.model.training.teacher import Progress, changed_copies

HELD_OUT = 2**31
"""The number under which validation pictures are encrypted; copies have those from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadSteps(PooledSteps):
    """Steps over `rows`, (copies, n, width): what is pooled over copies of the training part."""

    rows: Tensor
    held_out: Tensor
    """(m, width) of the validation part."""

    gate_weight: Tensor
    gate_bias: Tensor
    """Of the gate that has looked."""

    def begin(self, network: RetrievalNetwork) -> bool:
        """Give the network the gate, and bring what is pooled to one spread."""
        started = cast("BlockSetNetwork", network)
        gate = {"weight": self.gate_weight, "bias": self.gate_bias}
        started.backbone.gate.load_state_dict(gate)
        flat = self.rows.flatten(0, 1).double()
        with torch.no_grad():
            started.mean.copy_(flat.mean(dim=0))
            started.spread.copy_(flat.std(dim=0, correction=0) + 1e-3)
        return False

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
            return follow(parts, optimizer)

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


def with_rows(
    steps: Steps, validation: PreparedImages, path: Path, identity: str, progress: Progress
) -> HeadSteps:
    """Return the steps of a head whose pictures have been looked at.

    Rows take 4 bytes for each of some 1,600 numbers of each copy of a picture, in memory and on
    disk.

    Args:
        steps: what they have in common with those of other trainings; settings of a head.
        validation: the pictures that are ranked after each epoch.
        path: where the rows are kept until the training ends.
        identity: tells apart trainings by all that rows depend on.
        progress: called with the number of cipher-images that were looked at, and of all.

    Raises:
        PretrainedError: if the stages' weights cannot be had or do not fit.
        ValueError: if there are several processes.
        OSError: if the rows cannot be written.
    """
    common = of_one_process(steps)
    seen = computed_once(path, identity, lambda: _seen(steps, validation, progress))
    return HeadSteps(**{**common, **seen})


def _seen(steps: Steps, validation: PreparedImages, progress: Progress) -> dict[str, Tensor]:
    """Return what `HeadSteps` have of the pictures, by the names of the fields.

    It is the same at every call, as the stages' weights, the draws and the pictures are.
    """
    config = cast("BlockTrainConfig", steps.config)
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
            rows[places] = pooled(steps, network, steps.encryptor(changed, secret)).cpu()
            done += len(places)
            progress(done, total)
        return rows

    rows = [looked_at(steps.images, copy, copy) for copy in range(config.copies)]
    gate = {f"gate_{name}": each.cpu() for name, each in network.backbone.gate.state_dict().items()}
    return {"rows": torch.stack(rows), "held_out": looked_at(validation, 0, HELD_OUT), **gate}
