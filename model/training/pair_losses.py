"""What compares the pictures of a batch with each other: triplets (E2E), or all with all."""

from collections.abc import Callable
from typing import TypeAlias

from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import SupConLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import AvgNonZeroReducer, MeanReducer
from torch import Tensor

from cipherlens.model.config import LabelConfig

PairLoss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Returns the loss of (n, dim) float32 features, by their cosines, for (n,) int64 labels."""


def pair_loss(config: LabelConfig) -> PairLoss | None:
    """Return the loss that the settings choose; None if pairs are not compared."""
    if config.pairs == "none":
        return None
    if config.pairs == "contrastive":
        loss: PairLoss = SupConLoss(config.temperature, reducer=MeanReducer())
        return loss
    return Triplets(config.margin, config.mining)


class Triplets:
    """The mean of max(0, d_pos - d_neg + m) (E2E eq. 3), d the cosine distance.

    The triplets are, by `mining`, batch-hard (each image with the farthest one of its class and the
    nearest one of another), batch-all, with the satisfied ones, or batch-active, without them
    (Hermans et al. 2017, who write batch-all of either).
    """

    def __init__(self, margin: float, mining: str) -> None:
        """Keep the margin m and what makes triplets."""
        hard = mining == "batch-hard"
        self._miner = BatchHardMiner(distance=CosineSimilarity()) if hard else None
        reducer = AvgNonZeroReducer() if mining == "batch-active" else MeanReducer()
        self._loss = TripletMarginLoss(margin=margin, distance=CosineSimilarity(), reducer=reducer)

    def __call__(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of (n, dim) features for (n,) int64 labels."""
        mined = None if self._miner is None else self._miner(features, labels)
        loss: Tensor = self._loss(features, labels, mined)
        return loss
