"""Liang, Zhang and Cheng, "Huffman-code based retrieval for encrypted JPEG images" (JVCIR 2019).

The owner adds a stream to the bits behind the Huffman codes and permutes the blocks' AC codes, both
with each picture's own sequences. The server counts the Huffman codes of each component, DC and AC
apart, and compares the histograms by the sum of absolute differences.

Guessed: the JPEG quality, that whole blocks of AC codes are permuted, and that the six histograms
count alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.draws import Draws, nonces
from benchmarks.methods.encrypted_jpeg import (
    Coefficients,
    Files,
    coefficients,
    compressed,
    rewritten,
)
from benchmarks.methods.histograms import manhattan, scaled
from benchmarks.methods.huffman import ac_counts, dc_counts, dc_differences, masked
from benchmarks.methods.method import Features
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.evaluate_distances import Distances


@dataclass(frozen=True, kw_only=True, slots=True)
class Liang:
    """The scheme."""

    quality: int = 75

    def fit(self, training: PreparedImages, draws: Draws) -> "LiangRanker":  # noqa: ARG002
        """Return the scheme with a key; it learns nothing."""
        return LiangRanker(scheme=self, draws=draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class LiangRanker:
    """The scheme with a key."""

    scheme: Liang
    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Files:
        """Return JPEG files with other bits behind the codes, and the AC codes in another order."""
        held = coefficients(compressed(pixels, self.scheme.quality))
        _, height, width, _ = pixels.shape
        for picture, nonce in enumerate(nonces(len(held), generator)):
            scrambled = streamed(held[picture], self.draws, nonce)
            orders = self.draws.permutations("blocks", scrambled.shape[:2], nonce)
            scrambled[..., 1:] = np.take_along_axis(scrambled[..., 1:], orders[:, :, None], axis=1)
            held[picture] = scrambled
        return rewritten(held, height, width, self.scheme.quality)

    def encode(self, encrypted: Files) -> Features:
        """Return the histograms of the Huffman codes."""
        return code_shares(coefficients(encrypted)).reshape(len(encrypted), -1)

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return the sums of absolute differences."""
        return manhattan(queries, database)


def streamed(held: Coefficients, draws: Draws, nonce: bytes) -> Coefficients:
    """Return one picture's coefficients, (3, blocks, 64), with a stream on their bits."""
    words = draws.words("bits", held.shape, nonce, "<u2").astype(np.int64)
    changed = masked(held, words)
    changed[..., 0] = np.cumsum(masked(dc_differences(held[None])[0], words[..., 0]), axis=-1)
    return changed.astype(np.int16)


def code_shares(held: Coefficients) -> NDArray[np.float32]:
    """Return the share of each Huffman code in each component, (n, 3, 174): DC, then AC."""
    return np.concatenate([scaled(dc_counts(held)), scaled(ac_counts(held))], axis=-1)
