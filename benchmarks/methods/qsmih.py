"""Codes like QSMIH's: Passalis and Tefas, "Deep supervised hashing leveraging quadratic spherical
mutual information" (arXiv:1901.05135).

The owner trains a hash network on plain, labelled pictures. With S = (1 + cosine) / 2 of two
pictures' outputs, the loss draws S to 1 in a class and to 0 elsewhere, by squares, the latter
weighted by 1 / classes; a small term draws outputs to 1 or -1. A code is the outputs' signs.

Like, not as: the layers before are those of an EfficientNet-Lite0 with ImageNet weights that stay
as they are, and two layers learn, in minutes; the weight of the small term is guessed.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from benchmarks.harness.places import ROOT
from benchmarks.methods.draws import Draws
from cipherlens.model.config import DistillConfig
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.evaluation.code_metrics import hamming_distances
from cipherlens.model.evaluation.evaluate_distances import Distances
from cipherlens.model.training.teacher import Teacher

_SETTINGS = ROOT / "demo" / "distil.toml"
"""Names the network with ImageNet weights."""

_HIDDEN = 256
_BATCH, _RATE, _WEIGHT_DECAY = 128, 1e-3, 1e-4
_BINARY = 0.01

Codes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class QSMIH:
    """The scheme; `bits` is the length of its codes."""

    bits: int
    epochs: int

    def fit(self, training: PreparedImages, draws: Draws) -> "QSMIHRanker":
        """Return the scheme with a trained network."""
        seed = int.from_bytes(draws.stream("network", 4), "little")
        vectors, labels = _vectors(training)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            head = nn.Sequential(
                nn.Linear(vectors.shape[1], _HIDDEN),
                nn.ReLU(),
                nn.Linear(_HIDDEN, self.bits),
                nn.Tanh(),
            )
            _train(head, vectors, labels, self.epochs)
        return QSMIHRanker(head=head.eval())


@dataclass(frozen=True, kw_only=True, slots=True)
class QSMIHRanker:
    """The two layers that learned."""

    head: nn.Module

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Codes:  # noqa: ARG002
        """Return the codes, (n, bits / 8), of plain pictures: no more leaves the owner."""
        with torch.inference_mode():
            outputs = self.head(_scaled(pixels))
        return np.packbits(outputs.numpy() > 0, axis=1, bitorder="little")

    def encode(self, encrypted: Codes) -> Codes:
        """Return the same: the server has nothing to make of it."""
        return encrypted

    def distances(self, queries: Codes, database: Codes) -> Distances:
        """Return Hamming distances."""
        return hamming_distances(queries, database)


def mutual_information_loss(outputs: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return the loss of a batch's outputs, (n, bits), over all pairs."""
    units = normalize(outputs)
    similar = (1 + units @ units.T) / 2
    alike = (labels[:, None] == labels).float()
    return (alike * (similar - 1).square() + similar.square() / classes).mean()


def _train(head: nn.Module, vectors: Tensor, labels: Tensor, epochs: int) -> None:
    classes = int(labels.max()) + 1
    optimiser = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=_WEIGHT_DECAY)
    for _ in range(epochs):
        for chosen in torch.split(torch.randperm(len(vectors)), _BATCH):
            outputs = head(vectors[chosen])
            binary = (outputs.abs() - 1).abs().mean()
            loss = mutual_information_loss(outputs, labels[chosen], classes) + _BINARY * binary
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


def _vectors(training: PreparedImages) -> tuple[Tensor, Tensor]:
    parts = [
        (_scaled(pixels), torch.from_numpy(training.labels[positions]))
        for positions, pixels in by_shape(training.images, 64)
    ]
    return torch.cat([vectors for vectors, _ in parts]), torch.cat([labels for _, labels in parts])


def _scaled(pixels: Pixels) -> Tensor:
    """Return the fixed network's vectors, each number about 1 in size."""
    vectors = torch.from_numpy(_network().vectors(pixels))
    scaled: Tensor = vectors * vectors.shape[1] ** 0.5
    return scaled


@cache
def _network() -> Teacher:
    return Teacher(DistillConfig.from_toml(_SETTINGS), torch.device("cpu"))
