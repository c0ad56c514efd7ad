"""Which index of pgvector a table has: noted as the table's comment, in PostgreSQL itself."""

from typing import NamedTuple, Self

from cipherlens.base import IndexChoice
from cipherlens.server.config import IvfSettings

_PROBED_PART = 1 / 16  # until it is measured


class BuiltIndex(NamedTuple):
    """An index, the rows that it was made for, and how it is searched."""

    method: str
    rows: int = 0
    nlist: int = 0
    nprobe: int = 0
    recall: float = 0.0

    @classmethod
    def planned(cls, choice: IndexChoice, ivf: IvfSettings, rows: int) -> Self:
        """Return the index that so many rows should have."""
        if choice is IndexChoice.HNSW:
            return cls("hnsw", rows)
        nlist = ivf.nlist(rows)
        return cls("ivf", rows, nlist, max(1, round(_PROBED_PART * nlist)))

    @classmethod
    def of_note(cls, note: str | None) -> Self:
        """Return what `note` has noted; a table without a note has no index."""
        if note is None:
            return cls("flat")
        method, rows, nlist, nprobe, recall = note.split()
        return cls(method, int(rows), int(nlist), int(nprobe), float(recall))

    def note(self) -> str:
        """Return it as a text."""
        return " ".join(map(str, self))

    def using(self, *, is_code: bool) -> str:
        """Return what follows USING."""
        operators = "bit_hamming_ops" if is_code else "vector_ip_ops"
        if self.method == "hnsw":
            return f"hnsw (row {operators})"
        return f"ivfflat (row {operators}) WITH (lists = {self.nlist})"
