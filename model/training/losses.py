"""The loss of trainings with labels: pairs of pictures and classes, weighed against each other."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear, normalize, one_hot

from cipherlens.model.config import LabelConfig
from cipherlens.model.training.pair_losses import pair_loss

_INSIDE = 1 - 1e-6  # the slope of arccos is infinite at 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LossParts:
    """The scalars of one batch: `total`, which is minimised, and what it is made of.

    `triplet` is the loss of pairs, of whatever kind; None where pairs are not compared.
    """

    total: Tensor
    triplet: Tensor | None
    cross_entropy: Tensor

    def values(self) -> Tensor:
        """Return total, triplet (NaN for None) and cross entropy, (3,) float64, without a graph."""
        triplet = self.total.new_tensor(math.nan) if self.triplet is None else self.triplet
        return torch.stack([self.total, triplet, self.cross_entropy]).detach().double()


class RetrievalLoss:
    """L = pairs + alpha * cross entropy (E2E eq. 5); without pairs it is DLHEIR's."""

    def __init__(self, config: LabelConfig) -> None:
        """Take what of either the settings choose."""
        self._config = config
        self._pairs = pair_loss(config)

    def __call__(self, features: Tensor, logits: Tensor, labels: Tensor) -> LossParts:
        """Return the loss of (n, dim) features, (n, classes) logits and (n,) int64 labels."""
        features, logits = features.float(), logits.float()  # sums in float32 under autocast too
        if self._config.classifier == "cosine" and self._config.angular_margin:
            logits = with_margin(logits, labels, self._config)
        entropy = cross_entropy(logits, labels, label_smoothing=self._config.label_smoothing)
        if self._pairs is None:
            return LossParts(
                total=entropy * self._config.alpha, triplet=None, cross_entropy=entropy
            )
        pairs = self._pairs(features, labels)
        total = pairs + self._config.alpha * entropy
        return LossParts(total=total, triplet=pairs, cross_entropy=entropy)


def cosine_logits(features: Tensor, weight: Tensor, scale: float) -> Tensor:
    """Return scale * cos, (n, classes), of (n, dim) features and each class's row of the weight."""
    return scale * linear(normalize(features.float()), normalize(weight.float()))


def with_margin(logits: Tensor, labels: Tensor, config: LabelConfig) -> Tensor:
    """Return cosine logits with the margin added to the angle of the right class (ArcFace eq. 3).

    Angles end at pi, so that a picture opposite to its class is still pushed nowhere but to it.
    """
    cosines = (logits / config.scale).clamp(-_INSIDE, _INSIDE)
    angles = (cosines.arccos() + config.angular_margin).clamp(max=math.pi)
    right = one_hot(labels, logits.shape[1]).bool()
    return torch.where(right, config.scale * angles.cos(), logits)
