"""Searches by bare FAISS, answered in our protocol's messages."""

from collections.abc import Callable, Sequence
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from cipherlens.v1 import retrieval_service_pb2 as pb

_STORED_BYTES = 8

Answer = Callable[[Sequence[pb.SearchRequest]], list[pb.SearchResponse]]


def code_index(rows: NDArray[np.uint8]) -> Any:
    """Return what compares with all codes, (n, 6) uint8, padded to 64 bits: FAISS is fast there."""
    index = faiss.IndexBinaryFlat(8 * _STORED_BYTES)
    index.add(padded(rows))
    return index


def vector_index(rows: NDArray[np.float32], nlist: int, nprobe: int) -> Any:
    """Return what looks into `nprobe` of `nlist` lists of vectors, (n, dim) float32."""
    quantizer = faiss.IndexFlatIP(rows.shape[1])
    index = faiss.IndexIVFFlat(quantizer, rows.shape[1], nlist, faiss.METRIC_INNER_PRODUCT)
    index.train(rows)
    index.add(rows)
    index.nprobe = nprobe
    return index


def code_search(rows: NDArray[np.uint8]) -> Answer:
    """Return what answers searches of codes."""
    index = code_index(rows)

    def answer(requests: Sequence[pb.SearchRequest]) -> list[pb.SearchResponse]:
        queries = np.frombuffer(b"".join(each.codes.data for each in requests), np.uint8)
        queries = padded(queries.reshape(len(requests), -1))
        return _responses("distances", *index.search(queries, requests[0].k))

    return answer


def vector_search(rows: NDArray[np.float32], nlist: int, nprobe: int) -> Answer:
    """Return what answers searches of vectors."""
    index = vector_index(rows, nlist, nprobe)

    def answer(requests: Sequence[pb.SearchRequest]) -> list[pb.SearchResponse]:
        queries = np.frombuffer(b"".join(each.vectors.data for each in requests), np.float32)
        queries = queries.reshape(len(requests), -1)
        return _responses("similarities", *index.search(queries, requests[0].k))

    return answer


def padded(rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return codes with zeros behind them, (n, 8) uint8."""
    wide = np.zeros((len(rows), _STORED_BYTES), np.uint8)
    wide[:, : rows.shape[1]] = rows
    return wide


def _responses(scored: str, scores: NDArray[Any], rows: NDArray[Any]) -> list[pb.SearchResponse]:
    return [
        pb.SearchResponse(results=[_hits(scored, *each)], sequence=1, generation=1)
        for each in zip(scores.tolist(), rows.tolist(), strict=True)
    ]


def _hits(scored: str, scores: list[Any], rows: list[int]) -> pb.Hits:
    hits = pb.Hits(item_ids=[f"item-{row:05}" for row in rows], revisions=[1] * len(rows))
    getattr(hits, scored).extend(scores)
    return hits
