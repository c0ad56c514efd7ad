"""The steps of a training without labels, and how it is judged as it goes on."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize
from torch.optim import Optimizer

from cipherlens.model.config import DistillConfig
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.evaluation.evaluate import features
from cipherlens.model.evaluation.measures import AVERAGE_PRECISION, Ranks
from cipherlens.model.networks.block_set import BlockSetNetwork
from cipherlens.model.networks.network import RetrievalNetwork
from cipherlens.model.training.distillation import DistillationLoss
from cipherlens.model.training.head_start import fit_gate, fit_head
from cipherlens.model.training.loading import AUGMENTATION, ENCRYPTION, Moment, draw
from cipherlens.model.training.pooled_steps import (
    POOLED_AT_ONCE,
    PooledSteps,
    follow,
    of_one_process,
    pooled,
)
from cipherlens.model.training.steps import Step, Steps
from cipherlens.model.training.teacher import Progress, Teacher, changed_copies, taught

NEAREST = 10
"""How many of the teacher's nearest pictures count as relevant in the validation, a fifth of all at
most: where nearly all were, every ranking would be good."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistillSteps(PooledSteps):
    """Steps towards a teacher's vectors of the same pictures: `targets`, (copies, n, dim)."""

    config: DistillConfig
    targets: Tensor
    relevant: NDArray[np.bool_]
    """(m, m): which validation pictures are among the teacher's nearest of each."""

    def step(self, network: RetrievalNetwork, optimizer: Optimizer) -> Step:
        """Return what makes a step: the head follows its gradient, the rest stays."""
        loss = DistillationLoss(self.config.relation, self.config.temperature)

        def step(batch: NDArray[np.intp], moment: Moment) -> Tensor:
            described, targets = self._described(network, batch, moment)
            parts = loss(cast("BlockSetNetwork", network).semantic(described), targets)
            return follow(parts, optimizer)

        return step

    def begin(self, network: RetrievalNetwork) -> bool:
        """Fit the gate, and the head to the teacher's vectors of one copy of each picture."""
        started = cast("BlockSetNetwork", network)
        fit_gate(started.backbone, self.images, self.encryptor)
        described = (
            self._described(network, batch, (0, index))
            for index, batch in enumerate(self.batches(0))
        )
        fit_head(started, described, self.config.penalty)
        return True

    @torch.no_grad()
    def _described(
        self, network: RetrievalNetwork, batch: NDArray[np.intp], moment: Moment
    ) -> tuple[Tensor, Tensor]:
        """Return what is pooled over cipher-images, (n, width), and the unit targets, (n, dim).

        Each picture comes as one of its copies, under a key of its own.
        """
        epoch, index = moment
        chosen, secret = (
            draw(self.config, epoch, each, index) for each in (AUGMENTATION, ENCRYPTION)
        )
        copies = chosen.integers(self.config.copies, size=len(batch))
        rows, orders = [], []
        for positions, pixels in by_shape(self.images.take(batch).images, POOLED_AT_ONCE):
            changed = changed_copies(pixels, batch[positions], copies[positions], self.config)
            rows.append(pooled(self, network, self.encryptor(changed, secret)))
            orders.append(positions)
        order = np.concatenate(orders)
        targets = self.targets[copies[order], batch[order]].to(self.device)
        return torch.cat(rows), normalize(targets)

    def score(self, network: RetrievalNetwork, validation: PreparedImages) -> float | None:
        """Return the mAP of the validation pictures, the teacher's nearest ones being relevant."""
        if len(validation) < 2:
            return None
        vectors = features(network, validation, self.encryptor, precision=self.precision)
        cosines = vectors @ vectors.T
        np.fill_diagonal(cosines, -np.inf)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :-1]
        relevance = np.take_along_axis(self.relevant, order, axis=1)
        ranks = Ranks(relevance=relevance, relevant=relevance.sum(axis=1))
        return float(AVERAGE_PRECISION.of_ranks(ranks).mean())


def with_teacher(
    steps: Steps, validation: PreparedImages, path: Path, progress: Progress
) -> DistillSteps:
    """Return the steps of a training whose teacher has seen the pictures.

    Args:
        steps: what they have in common with those of other trainings; settings of a distillation.
        validation: the pictures that are ranked after each epoch.
        path: where the teacher's vectors are kept until the training ends.
        progress: called with the number of copies that the teacher has seen, and of all.

    Raises:
        PretrainedError: if the teacher's weights cannot be had.
        ValueError: if there are several processes.
    """
    config, common = cast("DistillConfig", steps.config), of_one_process(steps)
    teacher = Teacher(config, steps.device)
    shown = np.empty((len(validation), teacher.dimension), dtype=np.float32)
    for positions, pixels in by_shape(validation.images):
        shown[positions] = teacher.vectors(pixels)
    return DistillSteps(
        **common,
        targets=taught(teacher, steps.images, config, path, progress),
        relevant=nearest(shown),
    )


def nearest(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return (n, n): whether a picture is among the nearest of another, never of itself."""
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -np.inf)
    near = np.zeros(cosines.shape, dtype=bool)
    found = np.argsort(-cosines, axis=1, kind="stable")[
        :, : min(NEAREST, max(1, len(vectors) // 5))
    ]
    np.put_along_axis(near, found, values=True, axis=1)
    return near
