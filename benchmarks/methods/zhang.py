"""Zhang and Cheng, "Histogram-based retrieval for encrypted JPEG images" (ChinaSIP 2014).

The owner permutes the quantised coefficients of each frequency over the blocks of a component, with
an order of each picture's own. The server counts the coefficients of each frequency and compares
the histograms by the sum of absolute differences.

Guessed: the JPEG quality, that DC coefficients are permuted as AC ones are, and where the bins end.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.methods.draws import Draws, nonces
from benchmarks.methods.encrypted_jpeg import Files, coefficients, compressed, rewritten
from benchmarks.methods.histograms import by_frequency, manhattan
from benchmarks.methods.method import Features
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.evaluate_distances import Distances


@dataclass(frozen=True, kw_only=True, slots=True)
class Zhang:
    """The scheme; AC coefficients beyond `limit` are counted as it."""

    limit: int
    quality: int = 75

    def fit(self, training: PreparedImages, draws: Draws) -> "ZhangRanker":  # noqa: ARG002
        """Return the scheme with a key; it learns nothing."""
        return ZhangRanker(scheme=self, draws=draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class ZhangRanker:
    """The scheme with a key."""

    scheme: Zhang
    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Files:
        """Return JPEG files whose coefficients are permuted over the blocks."""
        held = coefficients(compressed(pixels, self.scheme.quality))
        _, height, width, _ = pixels.shape
        _, components, blocks, frequencies = held.shape
        for picture, nonce in enumerate(nonces(len(held), generator)):
            orders = self.draws.permutations("blocks", (components, frequencies, blocks), nonce)
            held[picture] = np.take_along_axis(held[picture], orders.swapaxes(1, 2), axis=1)
        return rewritten(held, height, width, self.scheme.quality)

    def encode(self, encrypted: Files) -> Features:
        """Return the histograms of the frequencies."""
        return by_frequency(coefficients(encrypted), self.scheme.limit)

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return the sums of absolute differences."""
        return manhattan(queries, database)
