"""What a peer is: a vector store that keeps rows, builds indexes and answers queries."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

K = 20
CODES, VECTORS = "codes", "vectors"

Rows = NDArray[Any]
"""(n, 6) uint8, codes of 48 bits, the lowest bit first; or (n, 768) float32, unit vectors."""
Load = Mapping[str, Any]
"""A C load generator's work: see `Peer.load`."""


class Peer(Protocol):
    """A store with one set of rows. What it returns is JSON-able, but for the rows found."""

    INDEXES: Mapping[str, Mapping[str, Sequence[int]]]
    """{kind of rows: {index: settings of its knob}}; a kind that is missing has no place here."""

    def setup(self, folder: Path) -> dict[str, Any]:
        """Start what must run, with its data in a folder; return versions and settings."""

    def fill(self, kind: str, rows: Rows) -> None:
        """Store rows, numbered from 0."""

    def build(self, kind: str, index: str) -> str:
        """Make this index the one that is searched, and say with which settings it was built."""

    def tune(self, knob: int) -> None:
        """Set how thoroughly the index is searched."""

    def search(self, query: Rows) -> Sequence[int]:
        """Return the numbers of the K nearest rows to a query; threads may call it."""

    def batch(self, queries: Rows) -> Sequence[Sequence[int]]:
        """Return the same for many queries in one call, or one after another if it has none."""

    def load(self, queries: Rows, clients: int, folder: Path) -> Load | None:
        """Return what a C load generator must do to ask these queries; None if there is none.

        {"program": path, "arguments": [...], "environment": {...}} for pgbench, to which the
        duration is added; {"url": ..., "path": ..., "grpc": whether it is that or JSON, "bodies":
        [[file, length of the right answer or 0 if unknown], ...]} for h2load.
        """

    def pids(self) -> Sequence[int]:
        """Return the processes that serve, children aside; empty if it searches in process."""

    def close(self) -> None:
        """Stop what was started."""
