"""Xia, Wang, Zhang, Qin, Sun and Ren, on copy deterrence (IEEE TIFS 11(11), 2016), by colours.

The owner makes an MPEG-7 descriptor of the plain picture and hides it by the secure kNN scheme; the
server ranks by inner products, which is by Euclidean distance. A picture's ciphertext here is its
stored vector and its trapdoor side by side; sizes count both.

Left out: the tables of locality-sensitive hashes that look at fewer pictures and find at most as
much. Guessed: the number of colours of the colour structure.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.colour_structure import colour_structure
from benchmarks.methods.draws import Draws
from benchmarks.methods.scalable_colour import COLOURS, scalable_colour
from benchmarks.methods.secure_knn import SecureKNN, Vectors, scores
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.evaluate_distances import Distances


@dataclass(frozen=True, kw_only=True, slots=True)
class XiaCSD:
    """The scheme with the colour structure descriptor."""

    cells: int

    def fit(self, training: PreparedImages, draws: Draws) -> "HiddenDescriptor":  # noqa: ARG002
        """Return the scheme with a key; it learns nothing."""
        key = SecureKNN(self.cells, draws)
        return HiddenDescriptor(
            describe=lambda pixels: colour_structure(pixels, self.cells), key=key
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class XiaSCD:
    """The scheme with the scalable colour descriptor."""

    def fit(self, training: PreparedImages, draws: Draws) -> "HiddenDescriptor":  # noqa: ARG002
        """Return the scheme with a key; it learns nothing."""
        return HiddenDescriptor(describe=scalable_colour, key=SecureKNN(COLOURS, draws))


@dataclass(frozen=True, kw_only=True, slots=True)
class HiddenDescriptor:
    """A descriptor of plain pictures, and the key that hides it."""

    describe: Callable[[Pixels], Vectors]
    key: SecureKNN

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Vectors:
        """Return (n, 2, numbers): what is stored of each picture, and its trapdoor."""
        plain = self.describe(pixels)
        return np.stack(
            [self.key.index(plain, generator), self.key.trapdoor(plain, generator)], axis=1
        )

    def encode(self, encrypted: Vectors) -> Vectors:
        """Return the same: the server has nothing to make of it."""
        return encrypted

    def distances(self, queries: Vectors, database: Vectors) -> Distances:
        """Return how far below its best score each picture is."""
        found = scores(queries[:, 1], database[:, 0])
        # Below the best, so that float32 tells near ones apart.
        below: NDArray[np.float32] = (found.max(axis=1, keepdims=True) - found).astype(np.float32)
        return below
