"""Qin, Cao, Xiang, Tan, Xiang and Zhang, on SimHash (CMC 62(3), 2020).

The owner takes local features of the plain picture, SIFT, clusters those of the training pictures
into visual words, and gives each word a fingerprint of secret bits. A picture's code has a bit for
each place of the fingerprints: whether more of its words have a one there, each word counted as
often as it is found. Codes are compared by Hamming distance.

Guessed: the numbers of words and of bits. A picture without a local feature has a code of zeros.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.draws import Draws
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.code_metrics import hamming_distances
from cipherlens.model.evaluation.evaluate_distances import Distances
from cipherlens.server.index.untyped import faiss

_PER_WORD = 64
_DIMENSION = 128
_LEARNED_FROM = 400

Codes = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Qin:
    """The scheme; `bits` is the length of its codes, a multiple of 8."""

    words: int
    bits: int

    def fit(self, training: PreparedImages, draws: Draws) -> "QinRanker":
        """Return the scheme with a key and words."""
        seed = int.from_bytes(draws.stream("clusters", 4), "little") >> 1
        places = np.unique(np.linspace(0, len(training) - 1, _LEARNED_FROM).astype(np.intp))
        features = np.concatenate([sift(training.images[place]) for place in places])
        words = min(self.words, len(features))
        clusters = faiss.Kmeans(
            _DIMENSION,
            words,
            seed=seed,
            min_points_per_centroid=1,
            max_points_per_centroid=_PER_WORD,
        )
        clusters.train(features)
        return QinRanker(words=clusters.index, fingerprints=fingerprints(words, self.bits, draws))


@dataclass(frozen=True, kw_only=True, slots=True)
class QinRanker:
    """An index that finds the nearest word, and fingerprints, (words, bits) of 1 and -1."""

    words: Any
    fingerprints: NDArray[np.int64]

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Codes:  # noqa: ARG002
        """Return the codes, (n, bits / 8)."""
        return simhash(np.stack([self._counts(each) for each in pixels]), self.fingerprints)

    def encode(self, encrypted: Codes) -> Codes:
        """Return the same: the server has nothing to make of it."""
        return encrypted

    def distances(self, queries: Codes, database: Codes) -> Distances:
        """Return Hamming distances."""
        return hamming_distances(queries, database)

    def _counts(self, pixels: Pixels) -> NDArray[np.int64]:
        """Return how often each word is found in one picture."""
        found = sift(pixels)
        if not len(found):
            return np.zeros(len(self.fingerprints), np.int64)
        nearest = self.words.search(found, 1)[1].ravel()
        return np.bincount(nearest, minlength=len(self.fingerprints))


def sift(pixels: Pixels) -> NDArray[np.float32]:
    """Return one picture's local features, (found, 128)."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    _, found = cv2.SIFT.create().detectAndCompute(grey, None)
    return np.empty((0, _DIMENSION), np.float32) if found is None else found.astype(np.float32)


def fingerprints(words: int, bits: int, draws: Draws) -> NDArray[np.int64]:
    """Return the words' secret bits, 1 or -1."""
    return draws.words("fingerprints", (words, bits), dtype="u1").astype(np.int64) % 2 * 2 - 1


def simhash(counts: NDArray[np.int64], signs: NDArray[np.int64]) -> Codes:
    """Return the codes, (n, bits / 8), of (n, words) counts: the signs of what words add up to."""
    return np.packbits(counts @ signs > 0, axis=1, bitorder="little")
