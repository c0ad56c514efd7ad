"""Which cipher-images look alike: bags of words of their blocks, as of a plain picture's patches.

The attacker holds cipher-images, and pictures of his own that he learns the words from. Only blocks
that are not substituted say what he has words for.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.leakage.blocks import Pixels, blocks_of
from benchmarks.leakage.links import Scores

WORDS = 1024
_GRID = 4
_SEED = 5
_BLOCKS_A_WORD = 4


class BlockWords:
    """A vocabulary of blocks."""

    def __init__(self, public: Pixels, block_size: int, words: int = WORDS) -> None:
        """Learn at most so many words from the attacker's own (n, h, w, 3) pictures."""
        self._block_size = block_size
        described = self._described(public).reshape(-1, self._width)
        words = min(words, len(described) // _BLOCKS_A_WORD)
        clusters = faiss.Kmeans(
            self._width, words, niter=12, seed=_SEED, max_points_per_centroid=64, verbose=False
        )
        clusters.cp.min_points_per_centroid = 1
        clusters.train(described)
        self._words: Any = clusters.index
        self._count = words

    def likeness(self, queries: Pixels, stored: Pixels) -> Scores:
        """Return the cosines of the pictures' bags: words that few stored ones have count more."""
        asked, kept = self._bags(queries), self._bags(stored)
        weights = np.log((len(stored) + 1) / (1 + (kept > 0).sum(axis=0)))
        cosines = _unit(np.sqrt(asked) * weights) @ _unit(np.sqrt(kept) * weights).T
        return np.asarray(cosines)

    @property
    def _width(self) -> int:
        return 3 * _GRID**2 + 6

    def _bags(self, pictures: Pixels) -> NDArray[np.float64]:
        described = self._described(pictures)
        _, words = self._words.search(described.reshape(-1, self._width), 1)
        by_picture = words.reshape(len(pictures), -1)
        return np.stack([np.bincount(each, minlength=self._count) for each in by_picture]).astype(
            np.float64
        )

    def _described(self, pictures: Pixels) -> NDArray[np.float32]:
        """Return a thumbnail of every block and how much it changes, (n, blknum, width) float32."""
        side = self._block_size
        flat = blocks_of(pictures, side).astype(np.float32) / 255
        blocks = flat.reshape(*flat.shape[:2], side, side, 3)
        cell = side // _GRID
        cells = blocks.reshape(*flat.shape[:2], _GRID, cell, _GRID, cell, 3).mean(axis=(3, 5))
        changes = [np.abs(np.diff(blocks, axis=axis)).mean(axis=(2, 3)) for axis in (2, 3)]
        return np.concatenate([cells.reshape(*flat.shape[:2], -1), *changes], axis=2)


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-9))
