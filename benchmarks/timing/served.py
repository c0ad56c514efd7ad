"""Searches through a server: requests, and calls without a client's work."""

from collections.abc import Sequence

import grpc

from benchmarks.harness.rounds import asking
from benchmarks.timing.local import Call, Codes, K, Vectors
from cipherlens.v1 import representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

SERVED = "through the server"


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
