"""What peers without a server share: nothing to load from outside, no process of their own."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.peer import Load, Rows


class InProcess:
    """A library that searches in the process that asks."""

    def load(self, queries: Rows, clients: int, folder: Path) -> Load | None:  # noqa: ARG002
        """Return nothing: a library has no door for a load generator."""
        return None

    def pids(self) -> Sequence[int]:
        """Return none."""
        return []

    def close(self) -> None:
        """Hold nothing that must be stopped."""
