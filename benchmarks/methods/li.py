"""Li and Situ, "Encrypted JPEG image retrieval using histograms of transformed coefficients".

(APSIPA ASC 2019.) The owner transforms each block by an orthogonal transform of its own that is
secret, in place of the DCT, and goes on as JPEG does. The server counts the coefficients of each
frequency and compares the histograms by the sum of absolute differences.

Guessed: the transforms, 16 for rows and 16 for columns, from keyed signs within the fast DCT, which
leave the energy of smooth blocks in few coefficients; the JPEG quality; where the bins end.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.methods.block_transform import Transform, quantised, sign_changed, ycbcr
from benchmarks.methods.draws import Draws, nonces
from benchmarks.methods.encrypted_jpeg import SIDE, Files, coefficients, rewritten
from benchmarks.methods.histograms import by_frequency, manhattan
from benchmarks.methods.method import Features
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.evaluate_distances import Distances


@dataclass(frozen=True, kw_only=True, slots=True)
class Li:
    """The scheme; AC coefficients beyond `limit` are counted as it."""

    limit: int
    quality: int = 75

    def fit(self, training: PreparedImages, draws: Draws) -> "LiRanker":  # noqa: ARG002
        """Return the scheme with a key; it learns nothing."""
        return LiRanker(scheme=self, draws=draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class LiRanker:
    """The scheme with a key."""

    scheme: Li
    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Files:
        """Return JPEG files of coefficients that no DCT has made."""
        _, height, width, _ = pixels.shape
        quality = self.scheme.quality
        planes = ycbcr(pixels)
        down, across = self._transforms(len(pixels), height * width // SIDE**2, generator)
        held = [
            quantised(planes[:, component], down, across, quality, chroma=component > 0)
            for component in range(3)
        ]
        return rewritten(np.stack(held, axis=1), height, width, quality)

    def encode(self, encrypted: Files) -> Features:
        """Return the histograms of the frequencies."""
        return by_frequency(coefficients(encrypted), self.scheme.limit)

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return the sums of absolute differences."""
        return manhattan(queries, database)

    def _transforms(
        self, pictures: int, blocks: int, generator: np.random.Generator
    ) -> tuple[Transform, Transform]:
        """Return each block's transforms of columns and of rows, (pictures, blocks, 8, 8)."""
        drawn = [
            self.draws.words("signs", (blocks, 2, 4), nonce, "u1")
            for nonce in nonces(pictures, generator)
        ]
        signs = np.stack(drawn).astype(np.int64) % 2 * 2 - 1
        return sign_changed(signs[:, :, 0]), sign_changed(signs[:, :, 1])
