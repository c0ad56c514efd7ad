"""Searches through a server: collections to search, requests, and calls without a client's work."""

import time
from collections.abc import Sequence
from typing import Any

import grpc
from numpy.typing import NDArray

from benchmarks.harness.rounds import asking
from benchmarks.timing.local import Call, Codes, K, Vectors
from cipherlens.client import Client
from cipherlens.v1 import representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

SERVED = "through the server"

_TRAINING_LIMIT_S = 60.0


def store_codes(client: Client, name: str, codes: Codes, bits: int) -> None:
    """Make a collection of codes."""
    client.create_code_collection(name, bits)
    client.index_codes(name, item_ids(codes), codes)


def store_vectors(client: Client, name: str, vectors: Vectors) -> None:
    """Make a collection of vectors."""
    client.create_vector_collection(name, vectors.shape[1])
    client.index_vectors(name, item_ids(vectors), vectors)


def item_ids(rows: NDArray[Any]) -> list[str]:
    """Return an id for each row."""
    return [f"item-{number:05}" for number in range(len(rows))]


def code_requests(collection: str, queries: Codes, bits: int) -> list[pb.SearchRequest]:
    """Return a request for each query code."""
    return [
        pb.SearchRequest(
            collection=collection,
            k=K,
            codes=representation_pb2.Codes(bits=bits, data=query.tobytes()),
        )
        for query in queries
    ]


def vector_requests(collection: str, queries: Vectors, *, exact: bool) -> list[pb.SearchRequest]:
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


def stub_at(address: str) -> RetrievalServiceStub:
    """Return a bare stub of the server at an address."""
    return RetrievalServiceStub(grpc.insecure_channel(address))


def served_call(address: str, requests: Sequence[pb.SearchRequest]) -> Call:
    """Return one search through the server at the address."""
    return asking(stub_at(address).Search, requests)


def wait_for_lists(client: Client, collection: str) -> int:
    """Return the number of lists of a vector collection, once the server has trained them."""
    deadline = time.monotonic() + _TRAINING_LIMIT_S
    while not (lists := client.get_collection(collection).index.nlist):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{collection} has no lists after {_TRAINING_LIMIT_S:.0f} s")
        time.sleep(0.05)
    return lists
