"""Search over binary codes by Hamming distance."""

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import IndexChoice, check_bits, check_codes
from cipherlens.server.config import IvfSettings
from cipherlens.server.index.code_training import CodeListsTrainer
from cipherlens.server.index.codes import padded_codes, stored_size_bytes
from cipherlens.server.index.device import Device
from cipherlens.server.index.filtering import RowFilter
from cipherlens.server.index.flat import pick_hamming, scan_hamming
from cipherlens.server.index.logged import LoggedIndex
from cipherlens.server.index.protocol import SearchParameters, SearchResult
from cipherlens.server.index.trained import Trainer

_DEFAULTS = SearchParameters()
_DEFAULT_SETTINGS = IvfSettings()


class HammingIndex(LoggedIndex):
    """Codes of a fixed number of bits, on the CPU; a VectorIndex that ranks by distance.

    A GPU has searched them 6 to 200 times more slowly, but for large batches of a few thousand
    codes (`benchmarks/results/gpu-full.json`): they are so small that a processor's cache holds
    them, and FAISS keeps no order among equal distances there.
    """

    def __init__(
        self,
        bits: int,
        settings: IvfSettings = _DEFAULT_SETTINGS,
        choice: IndexChoice = IndexChoice.AUTO,
    ) -> None:
        """Make an empty index.

        Raises:
            ValueError: bits is none of `cipherlens.base.BITS`.
        """
        check_bits(bits)
        self.bits = bits
        self._stored_size = stored_size_bytes(bits)
        super().__init__(
            self._stored_size,
            np.dtype(np.uint8),
            Device("cpu"),
            scan=scan_hamming,
            pick=pick_hamming,
            mirror=None,
            trainer=_trainer(choice, settings),
            metric="hamming",
            bits=bits,
        )

    def append(
        self,
        rows: NDArray[np.uint8],
        sequences: NDArray[np.int64] | None = None,  # noqa: ARG002 - the rows are here
    ) -> None:
        """Add codes, (n, ceil(bits / 8)) uint8 as they travel.

        Raises:
            TypeError, ValueError: what check_codes says.
        """
        check_codes(rows, self.bits)
        self._log.append(padded_codes(rows, self._stored_size))

    def search(
        self,
        queries: NDArray[np.uint8],
        k: int,
        parameters: SearchParameters = _DEFAULTS,
        rows: RowFilter | None = None,
    ) -> SearchResult:
        """Return the k live codes nearest to each query by distance.

        Exact until the index is trained, and whenever parameters.exact is set: then the order is
        (distance, position), the choice among equal distances at the k-th place included. Through
        lists a query gets the nearest codes of the probed ones, in no promised order among equals.
        Distances are exact either way.

        Args:
            queries: (q, ceil(bits / 8)) uint8.
            k: hits wanted.
            parameters: how to search.
            rows: keeps the rows that may be hits; None keeps all.

        Returns:
            (q, k) positions and int32 distances; beside a position of -1 any value.
        """
        check_codes(queries, self.bits)
        return self._ranked(padded_codes(queries, self._stored_size), k, parameters, rows)


def _trainer(choice: IndexChoice, settings: IvfSettings) -> Trainer | None:
    if choice is IndexChoice.FLAT:
        return None
    asked = choice is not IndexChoice.AUTO
    return CodeListsTrainer(settings, settings.minimum_rows if asked else settings.minimum_codes)
