"""Which index of pgvector a table has: noted as the table's comment, in PostgreSQL itself."""

import math
from typing import NamedTuple, Self

from cipherlens.base import IndexChoice
from cipherlens.server.config import IvfSettings
from cipherlens.server.vectors.calibrating import widths
from cipherlens.server.vectors.store import Reach

_PROBED_PART = 1 / 16  # until it is measured
_EFS = (64, 100, 150, 200, 300, 400, 600, 800, 1000)  # pgvector takes no more
_GRAPH = "m = 16, ef_construction = 200"


class BuiltIndex(NamedTuple):
    """An index, the rows that it was made or measured for, and how it is searched.

    width: lists to probe, or candidates that a graph keeps.
    """

    method: str
    rows: int = 0
    nlist: int = 0
    width: int = 0
    recall: float = 0.0

    @classmethod
    def planned(cls, choice: IndexChoice, ivf: IvfSettings, rows: int) -> Self:
        """Return the index that so many rows should have."""
        if choice is IndexChoice.HNSW:
            return cls("hnsw", rows, 0, _EFS[0])
        nlist = ivf.nlist(rows)
        return cls("ivf", rows, nlist, max(1, round(_PROBED_PART * nlist)))

    @classmethod
    def of_note(cls, note: str | None) -> Self:
        """Return what `note` has noted; a table without a note has no index."""
        if note is None:
            return cls("flat")
        method, rows, nlist, width, recall = note.split()
        return cls(method, int(rows), int(nlist), int(width), float(recall))

    def reaches(self) -> list[Reach]:
        """Return how far a search can look, least first."""
        if self.method == "hnsw":
            return [Reach(ef=ef) for ef in _EFS]
        return [Reach(nprobe) for nprobe in widths(1, self.nlist)]

    def measured(self, reach: Reach, recall: float) -> Self:
        """Return it with a reach that was measured to have this recall."""
        return self._replace(width=reach.ef or reach.nprobe or self.nlist, recall=recall)

    def settings(self, k: int, reach: Reach) -> dict[str, int]:
        """Return what PostgreSQL is told of a search."""
        width = math.ceil(reach.depth * self.width)
        if self.method == "hnsw":
            return {"hnsw.ef_search": min(_EFS[-1], max(k, reach.ef or width))}
        if self.method == "ivf":
            return {"ivfflat.probes": min(self.nlist, reach.nprobe or width)}
        return {}

    def note(self) -> str:
        """Return it as a text."""
        return " ".join(map(str, self))

    def using(self, *, is_code: bool) -> str:
        """Return what follows USING."""
        operators = "bit_hamming_ops" if is_code else "vector_ip_ops"
        if self.method == "hnsw":
            return f"hnsw (row {operators}) WITH ({_GRAPH})"
        return f"ivfflat (row {operators}) WITH (lists = {self.nlist})"
