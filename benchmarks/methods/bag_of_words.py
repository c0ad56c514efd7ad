"""Bags of words: a server clusters local features of the ciphertext, and counts the clusters.

What it learns from is what the owner's key makes of the training pictures.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.draws import Draws
from benchmarks.methods.histograms import manhattan, shares
from benchmarks.methods.method import BATCH, Encrypted, Features
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.evaluation.evaluate_distances import Distances
from cipherlens.server.index.untyped import faiss

Locals = NDArray[np.float32]
"""(n, places, numbers): the local features of n pictures."""

PER_WORD = 64
"""Local features that the clustering has of each word, if the pictures have so many."""

ROUNDS = 20


class LocalCipher(Protocol):
    """A cipher with a key, whose ciphertext has local features."""

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Encrypted:
        """Return what the server gets of (n, h, w, 3) pictures."""

    def local_features(self, encrypted: Encrypted) -> Locals:
        """Return what the server makes of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BagOfWords:
    """A cipher, and the words, (words, numbers) float32, that its server has learned."""

    cipher: LocalCipher
    words: NDArray[np.float32]

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Encrypted:
        """Return what the server gets."""
        return self.cipher.encrypt(pixels, generator)

    def encode(self, encrypted: Encrypted) -> Features:
        """Return the share of each word, (n, words) float32."""
        found = self.cipher.local_features(encrypted)
        nearest = _index(self.words).search(found.reshape(-1, found.shape[-1]), 1)[1]
        return shares(nearest.reshape(found.shape[:2]), len(self.words))

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return the sums of absolute differences."""
        return manhattan(queries, database)


def bag_of_words(
    cipher: LocalCipher, training: PreparedImages, words: int, draws: Draws
) -> BagOfWords:
    """Return the cipher with words learned from the training pictures' ciphertext."""
    seed = int.from_bytes(draws.stream("clusters", 4), "little") >> 1  # FAISS has an int of 32 bits
    generator = np.random.default_rng(seed)
    features = _sample(cipher, training, words * PER_WORD, generator)
    clusters = faiss.Kmeans(
        features.shape[1],
        words,
        niter=ROUNDS,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=PER_WORD,
    )
    clusters.train(features)
    return BagOfWords(cipher=cipher, words=clusters.centroids)


def _sample(
    cipher: LocalCipher, training: PreparedImages, count: int, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Return about `count` local features of pictures that are spread over the training part."""
    some = training.take(np.unique(np.linspace(0, len(training) - 1, 400).astype(np.intp)))
    each = -(-count // len(some))
    parts = []
    for _, pixels in by_shape(some.images, BATCH):
        found = cipher.local_features(cipher.encrypt(pixels, generator))
        chosen = generator.random(found.shape[:2]).argsort(axis=1)[:, :each, None]
        parts.append(np.take_along_axis(found, chosen, axis=1).reshape(-1, found.shape[-1]))
    return np.concatenate(parts)


def _index(words: NDArray[np.float32]) -> Any:
    index = faiss.IndexFlatL2(words.shape[1])
    index.add(words)
    return index
