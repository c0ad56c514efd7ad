"""Exact search over binary codes by Hamming distance."""

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import check_bits, check_codes
from cipherlens.server.index.codes import padded_codes, stored_size_bytes
from cipherlens.server.index.device import Device
from cipherlens.server.index.flat import scan_hamming
from cipherlens.server.index.gpu import MirroredRows, gpu_space, hamming_rows
from cipherlens.server.index.protocol import IndexDescription, SearchParameters, SearchResult
from cipherlens.server.index.rowlog import LoggedIndex
from cipherlens.server.index.state import IndexState
from cipherlens.server.index.threads import use_one_thread

_DEFAULTS = SearchParameters()


class HammingIndex(LoggedIndex):
    """Codes of a fixed number of bits; a VectorIndex served in order (distance, position).

    On a GPU, FAISS does not promise which of several equal distances it returns. A query whose
    k-th place is such a tie is answered by the exact scan on the CPU; for short codes, of 12 or 24
    bits, that is most of them, and a CPU index serves those better.
    """

    def __init__(self, bits: int, device: Device) -> None:
        """Make an empty index.

        Raises:
            ValueError: bits is none of `cipherlens.base.BITS`.
        """
        check_bits(bits)
        self.bits = bits
        self.device = device
        self._stored_size = stored_size_bytes(bits)
        super().__init__(self._stored_size, np.dtype(np.uint8))
        self._mirror: MirroredRows | None = None
        if device.kind == "cuda":
            self._mirror = hamming_rows(8 * self._stored_size, gpu_space(device.ordinal))

    def append(self, rows: NDArray[np.uint8]) -> None:
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
        parameters: SearchParameters = _DEFAULTS,  # noqa: ARG002 every search is exact already
    ) -> SearchResult:
        """Return the k live codes nearest to each query by (distance, position).

        The order is exact, the choice among equal distances at the k-th place included;
        parameters change nothing.

        Args:
            queries: (q, ceil(bits / 8)) uint8.

        Returns:
            (q, k) positions and int32 distances, padded with -1 and the largest int32.
        """
        check_codes(queries, self.bits)
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        use_one_thread()
        padded = padded_codes(queries, self._stored_size)
        if self._mirror is not None:
            return self._mirror.search(self._log, padded, k)
        snapshot = self._log.snapshot
        return scan_hamming(snapshot.rows, padded, k, snapshot.selector)

    def reads_bytes(self, parameters: SearchParameters = _DEFAULTS) -> int:  # noqa: ARG002
        """Return how many bytes of rows one query reads."""
        return len(self) * self._stored_size

    @property
    def wants_training(self) -> bool:
        """Never: every search is a scan, and fast."""
        return False

    def train(self, seed: int) -> None:
        """Do nothing: there is nothing to train."""

    def state(self) -> IndexState:
        """Return the codes as they are stored, padded, and which of them are masked."""
        return self._logged_state(metric="hamming", bits=self.bits)

    def restore(self, state: IndexState) -> None:
        """Take the state of another index of as many bits. Raises UnfitStateError."""
        state.check(metric="hamming", bits=self.bits)
        self._log.restore(*self._logged_rows(state))

    def describe(self) -> IndexDescription:
        """Return the index as it stands."""
        snapshot = self._log.snapshot
        return IndexDescription(
            kind="hamming-flat",
            device=str(self.device),
            rows=len(snapshot.rows),
            live=snapshot.live,
            memory_bytes=self._log.size_bytes,
        )
