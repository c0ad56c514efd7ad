"""Distances under encryption: Wong, Cheung, Kao and Mamoulis (SIGMOD 2009), with splitting.

A stored vector p becomes (p, -|p|^2 / 2) and a query q becomes r (q, 1), r > 0 of its own, so that
their inner product is r (p.q - |p|^2 / 2): the larger, the nearer in Euclidean distance. Each is
split in two by a secret bit string, one of the two randomly, and multiplied by secret matrices, of
which those of queries undo those of stored vectors. The server's inner products are exact.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.draws import Draws

Vectors = NDArray[np.float64]


class SecureKNN:
    """A key for vectors of a dimension."""

    def __init__(self, dimension: int, draws: Draws) -> None:
        """Draw the bits and matrices."""
        seed = int.from_bytes(draws.stream("secure kNN", 32), "little")
        generator = np.random.default_rng(seed)
        self._splits = generator.random(dimension + 1) < 0.5
        # Orthogonal up to a scale for each row: far from singular, whatever is drawn.
        self._matrices = np.stack([_invertible(dimension + 1, generator) for _ in range(2)])
        self._inverses = np.linalg.inv(self._matrices).astype(np.float64)

    def index(self, vectors: Vectors, generator: np.random.Generator) -> Vectors:
        """Return what is stored, (n, 2 * (dimension + 1)), of (n, dimension)."""
        squares = np.square(vectors).sum(axis=1, keepdims=True)
        extended = np.concatenate([vectors, -squares / 2], axis=1)
        return self._hidden(extended, self._splits, np.swapaxes(self._matrices, 1, 2), generator)

    def trapdoor(self, vectors: Vectors, generator: np.random.Generator) -> Vectors:
        """Return what asks, (n, 2 * (dimension + 1)), of (n, dimension)."""
        extended = np.concatenate([vectors, np.ones((len(vectors), 1))], axis=1)
        scaled = extended * generator.uniform(0.5, 2, (len(vectors), 1))
        return self._hidden(scaled, ~self._splits, self._inverses, generator)

    @staticmethod
    def _hidden(
        vectors: Vectors,
        splits: NDArray[np.bool_],
        matrices: Vectors,
        generator: np.random.Generator,
    ) -> Vectors:
        """Return two parts of each vector, side by side: of where it splits, they add up to it."""
        random = generator.normal(size=vectors.shape) * (1 + np.abs(vectors))
        one = np.where(splits, random, vectors)
        other = np.where(splits, vectors - random, vectors)
        return np.concatenate([one @ matrices[0].T, other @ matrices[1].T], axis=1)


def scores(trapdoors: Vectors, stored: Vectors) -> Vectors:
    """Return what the server computes, (queries, n): the larger, the nearer."""
    found: Vectors = trapdoors @ stored.T
    return found


def _invertible(size: int, generator: np.random.Generator) -> Vectors:
    orthogonal = np.linalg.qr(generator.normal(size=(size, size)))[0]
    found: Vectors = orthogonal * generator.uniform(0.5, 2, (size, 1))
    return found
