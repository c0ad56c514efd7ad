"""The same search in three places: bare FAISS, our index in this process, and a server."""

import time
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray

from benchmarks.rounds import asking
from cipherlens.client import Client
from cipherlens.server.index import (
    CosineIndex,
    HammingIndex,
    SearchParameters,
    resolve_device,
    train_ivf,
)
from cipherlens.server.index.codes import padded_codes, stored_size_bytes
from cipherlens.server.index.untyped import faiss
from cipherlens.v1 import representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

K = 20
BARE, OURS, SERVED = "bare FAISS", "in process", "through the server"

Call = Callable[[], object]
_TRAINING_LIMIT_S = 60.0


def code_calls(codes: NDArray[np.uint8], queries: NDArray[np.uint8], bits: int) -> dict[str, Call]:
    """Return one search by Hamming distance, in bare FAISS and through our index."""
    index = HammingIndex(bits, resolve_device("cpu"))
    index.append(codes)
    stored = stored_size_bytes(bits)
    flat = faiss.IndexBinaryFlat(8 * stored)
    flat.add(padded_codes(codes, stored))
    return {
        BARE: asking(lambda query: flat.search(query, K), singles(padded_codes(queries, stored))),
        OURS: asking(lambda query: index.search(query, K), singles(queries)),
    }


def exact_calls(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> dict[str, Call]:
    """Return one search by cosine over all vectors, in bare FAISS and through our index."""
    index = CosineIndex(vectors.shape[1], resolve_device("cpu"))
    index.append(vectors)
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors)
    return {
        BARE: asking(lambda query: flat.search(query, K), singles(queries)),
        OURS: asking(lambda query: index.search(query, K), singles(queries)),
    }


def ivf_calls(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], seed: int
) -> tuple[dict[str, Call], dict[str, float]]:
    """Return one search by cosine through lists, and how the lists were trained.

    Bare FAISS searches a copy of our lists and probes as many of them.
    """
    index = CosineIndex(vectors.shape[1], resolve_device("cpu"))
    index.append(vectors)
    trained = train_ivf(index.training_snapshot(), seed=seed)
    index.adopt(trained)
    lists = faiss.clone_index(trained.index)
    lists.nprobe = trained.nprobe
    calls = {
        BARE: asking(lambda query: lists.search(query, K), singles(queries)),
        OURS: asking(lambda query: index.search(query, K), singles(queries)),
    }
    truth = index.search(queries, K, SearchParameters(exact=True)).positions
    found = index.search(queries, K).positions
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True))
    shape = {"nlist": lists.nlist, "nprobe": lists.nprobe, "recall": round(hits / truth.size, 4)}
    return calls, shape


def code_requests(collection: str, queries: NDArray[np.uint8], bits: int) -> list[pb.SearchRequest]:
    """Return a request for each query code."""
    return [
        pb.SearchRequest(
            collection=collection,
            k=K,
            codes=representation_pb2.Codes(bits=bits, data=query.tobytes()),
        )
        for query in queries
    ]


def vector_requests(
    collection: str, queries: NDArray[np.float32], *, exact: bool
) -> list[pb.SearchRequest]:
    """Return a request for each query vector."""
    return [
        pb.SearchRequest(
            collection=collection,
            k=K,
            vectors=representation_pb2.Vectors(dimension=queries.shape[1], data=query.tobytes()),
            parameters=pb.SearchParameters(exact=exact),
        )
        for query in queries
    ]


def served_call(address: str, requests: list[pb.SearchRequest]) -> Call:
    """Return one search through the server at the address."""
    stub = RetrievalServiceStub(grpc.insecure_channel(address))
    return asking(stub.Search, requests)


def singles(queries: NDArray[Any]) -> list[NDArray[Any]]:
    """Return each query as a table of one row."""
    return [queries[i : i + 1] for i in range(len(queries))]


def item_ids(count: int) -> list[str]:
    """Return so many ids of items."""
    return [f"item-{number:05}" for number in range(count)]


def wait_for_lists(client: Client, collection: str) -> int:
    """Return the number of lists of a vector collection, once the server has trained them."""
    deadline = time.monotonic() + _TRAINING_LIMIT_S
    while not (lists := client.get_collection(collection).index.nlist):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{collection} has no lists after {_TRAINING_LIMIT_S:.0f} s")
        time.sleep(0.05)
    return lists
