"""The losses of the two papers: triplets and cross entropy (E2E), cross entropy alone (DLHEIR)."""

import math
from dataclasses import dataclass

import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from pytorch_metric_learning.reducers import MeanReducer
from torch import Tensor
from torch.nn.functional import cross_entropy


@dataclass(frozen=True, kw_only=True, slots=True)
class LossParts:
    """The scalars of one batch: `total`, which is minimised, and what it is made of.

    `triplet` is None for a loss without triplets.
    """

    total: Tensor
    triplet: Tensor | None
    cross_entropy: Tensor

    def values(self) -> Tensor:
        """Return total, triplet (NaN for None) and cross entropy, (3,) float64, without a graph."""
        triplet = self.total.new_tensor(math.nan) if self.triplet is None else self.triplet
        return torch.stack([self.total, triplet, self.cross_entropy]).detach().double()


class RetrievalLoss:
    """L = max(0, d_pos - d_neg + m) + alpha * CE (E2E eqs. 3-5), d the cosine distance of f.

    The triplets are, by `mining`, batch-hard (each image with the farthest one of its class and the
    nearest one of another) or batch-all (Hermans et al. 2017); the mean is over all of them,
    satisfied ones included.
    """

    def __init__(self, margin: float, alpha: float, mining: str = "batch-hard") -> None:
        """Keep the margin m, the weight alpha of the cross entropy, and what makes triplets."""
        self._alpha = alpha
        hard = mining == "batch-hard"
        self._miner = BatchHardMiner(distance=CosineSimilarity()) if hard else None
        self._triplet = TripletMarginLoss(
            margin=margin, distance=CosineSimilarity(), reducer=MeanReducer()
        )

    def __call__(self, features: Tensor, logits: Tensor, labels: Tensor) -> LossParts:
        """Return the loss of (n, feature_dim) features, (n, classes) logits, (n,) int64 labels."""
        features, logits = features.float(), logits.float()  # sums in float32 under autocast too
        mined = None if self._miner is None else self._miner(features, labels)
        triplet = self._triplet(features, labels, mined)
        entropy = cross_entropy(logits, labels)
        return LossParts(
            total=triplet + self._alpha * entropy, triplet=triplet, cross_entropy=entropy
        )


def class_loss(logits: Tensor, labels: Tensor) -> LossParts:
    """Return the softmax cross entropy of (n, classes) logits for (n,) int64 labels (DLHEIR)."""
    entropy = cross_entropy(logits.float(), labels)
    return LossParts(total=entropy, triplet=None, cross_entropy=entropy)
