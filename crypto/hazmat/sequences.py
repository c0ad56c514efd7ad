"""The three secret sequences that encrypt an image."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from cipherlens.crypto.hazmat.schedule import (
    COLOUR_LEVELS,
    ImageKeys,
    Purpose,
    derive_permutations,
)
from cipherlens.crypto.parameters import CipherParameters

_SUBSTITUTIONS = (Purpose.SUBSTITUTION_R, Purpose.SUBSTITUTION_G, Purpose.SUBSTITUTION_B)


@dataclass(frozen=True, eq=False)
class Sequences:
    """Sequences for one image, for each image of a batch, or one set for a whole batch.

    Attributes:
        permutation: (n, blknum) intp; block i of the permuted image is block permutation[i] of
            the plain one (E2E eq. 1), blocks in raster order.
        selection: (n, M) intp; the positions of the permuted image whose colours change.
        tables: (n, 3, 256) uint8; value v of channel c becomes tables[c, v] (E2E eq. 2).

    A batch of any size may use sequences with n = 1.
    """

    permutation: npt.NDArray[np.intp]
    selection: npt.NDArray[np.intp]
    tables: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        """Return the number n of sets."""
        return len(self.permutation)

    def __repr__(self) -> str:
        """Return the sizes only: the sequences are secret."""
        sets, blknum = self.permutation.shape
        return f"Sequences(sets={sets}, blknum={blknum}, substituted={self.selection.shape[1]})"

    @classmethod
    def derive(
        cls, keys: ImageKeys, parameters: CipherParameters, nonces: npt.NDArray[np.uint8]
    ) -> "Sequences":
        """Return the key schedule's set for every nonce of (n, 16) uint8."""

        def permutations(purpose: Purpose, size: int) -> npt.NDArray[np.intp]:
            return derive_permutations(keys, purpose, parameters, nonces, size)

        order = permutations(Purpose.SELECTION, parameters.blknum)
        tables = [permutations(purpose, COLOUR_LEVELS) for purpose in _SUBSTITUTIONS]
        return cls(
            permutation=permutations(Purpose.PERMUTATION, parameters.blknum),
            selection=order[:, : parameters.substituted_blocks],
            tables=np.stack(tables, axis=1).astype(np.uint8),
        )

    @classmethod
    def random(
        cls, generator: np.random.Generator, parameters: CipherParameters, count: int
    ) -> "Sequences":
        """Return count sets drawn by a seeded generator, for training only.

        They are as uniform as those of a key and cheaper, but whoever knows the seed has them.
        """
        blocks = np.broadcast_to(np.arange(parameters.blknum), (count, parameters.blknum))
        levels = np.arange(COLOUR_LEVELS, dtype=np.uint8)
        order = generator.permuted(blocks, axis=1)
        return cls(
            permutation=generator.permuted(blocks, axis=1),
            selection=order[:, : parameters.substituted_blocks],
            tables=generator.permuted(np.broadcast_to(levels, (count, 3, COLOUR_LEVELS)), axis=2),
        )

    def inverse_tables(self) -> npt.NDArray[np.uint8]:
        """Return the (n, 3, 256) uint8 tables that undo the substitution."""
        return np.argsort(self.tables, axis=2).astype(np.uint8)
