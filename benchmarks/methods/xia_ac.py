"""Xia, Lu, Qiu, Shim, Chen and Jeon, on AC-coefficients and color histograms (CMC 58(1), 2019).

In YUV, the owner transforms Y by the DCT; a stream cipher is added to DC coefficients, and AC
coefficients, U and V go through a secret permutation of their values and a scrambling of their
places. The server counts the values of the AC coefficients, of U and of V, each in a histogram,
and compares by the sum of absolute differences. The permutation of values is the collection's, or
histograms would not compare; streams and places are each picture's own.

Guessed: that coefficients are quantised by JPEG's table of a quality before, and that the three
histograms count alike. Its cipher-images are numbers as they lie: the paper has no file format.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.block_transform import DCT, quantised, ycbcr
from benchmarks.methods.draws import Draws, nonces
from benchmarks.methods.histograms import manhattan, shares
from benchmarks.methods.method import Features
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.evaluate_distances import Distances

_AC, _COLOURS = 2048, 256
"""Numbers of values: AC coefficients are from -1,024 to 1,023."""


@dataclass(frozen=True, kw_only=True, slots=True)
class XiaAC:
    """The scheme."""

    quality: int = 75

    def fit(self, training: PreparedImages, draws: Draws) -> "XiaACRanker":  # noqa: ARG002
        """Return the scheme with a key; it learns nothing."""
        return XiaACRanker(scheme=self, draws=draws)


@dataclass(frozen=True, kw_only=True, slots=True)
class XiaACRanker:
    """The scheme with a key."""

    scheme: XiaAC
    draws: Draws

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> NDArray[np.int16]:
        """Return (n, 3, h * w): coefficients of Y, 64 of a block in turn, then U, then V."""
        planes = ycbcr(pixels)
        sent = planes.reshape(len(pixels), 3, -1).astype(np.int16)
        luma = quantised(planes[:, 0], DCT, DCT, self.scheme.quality, chroma=False)
        for picture, nonce in enumerate(nonces(len(pixels), generator)):
            sent[picture, 0] = self._luma(luma[picture], nonce).ravel()
            for component, name in ((1, "U"), (2, "V")):
                table = self.draws.permutations(f"{name} values", (_COLOURS,))
                order = self.draws.permutations(f"{name} places", sent.shape[2:], nonce)
                sent[picture, component] = table[sent[picture, component]][order]
        return sent

    def encode(self, encrypted: NDArray[np.int16]) -> Features:
        """Return the histograms of AC coefficients, U and V."""
        ac = encrypted[:, 0].reshape(len(encrypted), -1, 64)[..., 1:].reshape(len(encrypted), -1)
        return np.concatenate(
            [
                shares(ac + _AC // 2, _AC),
                shares(encrypted[:, 1], _COLOURS),
                shares(encrypted[:, 2], _COLOURS),
            ],
            axis=1,
        )

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return the sums of absolute differences."""
        return manhattan(queries, database)

    def _luma(self, held: NDArray[np.int16], nonce: bytes) -> NDArray[np.int16]:
        """Return one picture's coefficients of Y, (blocks, 64), encrypted."""
        changed = np.empty_like(held)
        mask = self.draws.words("DC bits", (len(held),), nonce, "<u2").astype(np.int64) % _AC
        changed[:, 0] = ((held[:, 0].astype(np.int64) + _AC // 2) ^ mask) - _AC // 2
        table = self.draws.permutations("AC values", (_AC,)) - _AC // 2
        values = table[held[:, 1:].ravel().astype(np.int64) + _AC // 2]
        order = self.draws.permutations("AC places", values.shape, nonce)
        changed[:, 1:] = values[order].reshape(len(held), -1)
        return changed
