"""What servers are asked under load: clustered codes and vectors, many queries, exact answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cipherlens.v1 import representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

K = 20
BITS, DIMENSION = 48, 768
CENTRES, NOISE, FLIPPED = 100, 0.9, 0.1
QUERIES = 256
SEED = 9

CODES, VECTORS = "codes", "vectors"
TITLES = {CODES: f"Hamming {BITS} bits", VECTORS: f"cosine {DIMENSION}-d"}

DATA = (
    f"{CENTRES} clusters, seed {SEED}: codes of {BITS} bits with {FLIPPED:.0%} of the bits of "
    f"their centre flipped, {DIMENSION}-d unit vectors with noise {NOISE}; {QUERIES} queries that "
    f"are not stored; k = {K}"
)


def facts(
    unit: str, rows: int, rounds: int, seconds: float, *, data: str = DATA
) -> dict[str, str | int | float]:
    """Return what a document says of a load: so many seconds of it in each of some rounds."""
    return {
        "unit": unit,
        "data": data,
        "seed": SEED,
        "rows": rows,
        "rounds": rounds,
        "seconds": seconds,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Workload:
    """Rows to store and queries to ask; a collection of it is named for its kind.

    Attributes:
        kind: `CODES`, with packed rows (n, 6) uint8, or `VECTORS`, with unit rows (n, 768) float32.
        queries: `QUERIES` rows of the same form, not among the stored ones.
    """

    kind: str
    rows: NDArray[np.uint8] | NDArray[np.float32]
    queries: NDArray[np.uint8] | NDArray[np.float32]

    def requests(self, batch: int = 1) -> list[pb.SearchRequest]:
        """Return requests for all queries, so many in each."""
        return [self.request(self.queries[i : i + batch]) for i in range(0, QUERIES, batch)]

    def request(self, queries: NDArray[np.uint8] | NDArray[np.float32]) -> pb.SearchRequest:
        """Return one request for all of these queries."""
        found = pb.SearchRequest(collection=self.kind, k=K)
        if self.kind == CODES:
            found.codes.CopyFrom(representation_pb2.Codes(bits=BITS, data=queries.tobytes()))
        else:
            found.vectors.CopyFrom(
                representation_pb2.Vectors(dimension=DIMENSION, data=queries.tobytes())
            )
        return found

    def recall(self, found: NDArray[np.int64]) -> float:
        """Return which part of the hits, (queries, K) row numbers, belongs to the exact ones.

        A hit as near as the K-th exact one counts: codes have many at equal distance. -1 is no hit.
        """
        right = 0
        for query, hits in zip(self.queries, found, strict=False):
            distances = self._distances(query)
            limit = np.partition(distances, K - 1)[K - 1]
            told = np.unique(hits[hits >= 0])
            right += int((distances[told] <= limit + 1e-6).sum())
        return round(right / found.size, 4)

    def _distances(self, query: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float64]:
        if self.kind == CODES:
            differing = np.bitwise_count(np.bitwise_xor(self.rows, query))
            return np.asarray(differing.sum(axis=1, dtype=np.int64), np.float64)
        return np.asarray(-(self.rows @ query), np.float64)


def codes(count: int) -> Workload:
    """Return a workload of codes."""
    draw = np.random.default_rng(SEED)
    centres = draw.integers(0, 2, (CENTRES, BITS))
    of = draw.integers(0, CENTRES, count + QUERIES)
    bits = centres[of] ^ (draw.random((count + QUERIES, BITS)) < FLIPPED)
    packed = np.packbits(bits.astype(np.uint8), axis=1, bitorder="little")
    return Workload(kind=CODES, rows=packed[:count], queries=packed[count:])


def vectors(count: int) -> Workload:
    """Return a workload of vectors."""
    draw = np.random.default_rng(SEED)
    centres = draw.standard_normal((CENTRES, DIMENSION), np.float32)
    rows = centres[draw.integers(0, CENTRES, count + QUERIES)]
    rows += np.float32(NOISE) * draw.standard_normal(rows.shape, np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Workload(kind=VECTORS, rows=rows[:count], queries=rows[count:])
