"""Learning from a teacher's vectors, without labels."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from cipherlens.model.training.losses import LossParts


class DistillationLoss:
    """How far a network's vectors are from a teacher's, and its rankings from the teacher's.

    The first part is the mean of 1 - cosine of a picture's vector and the teacher's. The second
    compares rankings within the batch: the cross entropy of the softmax of each picture's cosines
    with the others under that of the teacher's (Tung and Mori 2019; Passalis and Tefas 2018), less
    its smallest value, so that it is 0 where the two agree.
    """

    def __init__(self, relation: float, temperature: float) -> None:
        """Keep the weight of the second part and the temperature of its softmax."""
        self._relation = relation
        self._temperature = temperature

    def __call__(self, vectors: Tensor, targets: Tensor) -> LossParts:
        """Return the loss of (n, dim) vectors for the teacher's (n, dim) targets."""
        own, taught = normalize(vectors.float()), normalize(targets.float())
        distance = 1 - (own * taught).sum(dim=1).mean()
        relation = self._divergence(own, taught)
        return LossParts(
            total=distance + self._relation * relation, triplet=distance, cross_entropy=relation
        )

    def _divergence(self, own: Tensor, taught: Tensor) -> Tensor:
        """Return the mean Kullback-Leibler divergence of the rankings; a picture ranks no copy."""
        itself = torch.eye(len(own), dtype=torch.bool, device=own.device)
        found, wanted = (
            (each @ each.T / self._temperature).masked_fill(itself, -1e4) for each in (own, taught)
        )
        shares = wanted.softmax(dim=1)
        return cross_entropy(found, shares) - cross_entropy(wanted, shares)
