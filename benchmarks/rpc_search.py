"""A search through the server against its floors: a canned answer over gRPC, and bare FAISS."""

import tempfile
from pathlib import Path
from typing import Any

import faiss
import grpc
import numpy as np

from benchmarks.canned import answering
from benchmarks.child import serving
from benchmarks.rounds import medians_us
from cipherlens.client import Client
from cipherlens.v1 import representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from cipherlens.v1.retrieval_service_pb2_grpc import RetrievalServiceStub

ROWS, DIMENSION, BITS, K = 10_000, 768, 48, 20
ROUNDS = {"quick": (15, 50), "full": (101, 200)}
SEED = 1


def run(profile: str) -> dict[str, Any]:
    """Return medians in microseconds for one query at a time, and ratios to the canned answer."""
    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((100, DIMENSION))
    vectors = centres[rng.integers(0, 100, ROWS)] + rng.standard_normal((ROWS, DIMENSION))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    codes = rng.integers(0, 256, (ROWS, BITS // 8), dtype=np.uint8)
    rounds, calls = ROUNDS[profile]
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as address:
        _fill(address, vectors, codes)
        results = _measure(address, vectors, codes, rounds, calls)
    return {
        "seed": SEED,
        "rows": ROWS,
        "k": K,
        "rounds": rounds,
        "calls": calls,
        "results": results,
    }


def _fill(address: str, vectors: Any, codes: Any) -> None:
    ids = [f"item-{number:05}" for number in range(ROWS)]
    with Client(address) as client:
        client.create_vector_collection("vectors", DIMENSION)
        client.create_code_collection("codes", BITS)
        client.index_vectors("vectors", ids, vectors)
        client.index_codes("codes", ids, codes)


def _measure(address: str, vectors: Any, codes: Any, rounds: int, calls: int) -> dict[str, Any]:
    stub = RetrievalServiceStub(grpc.insecure_channel(address))
    vector = representation_pb2.Vectors(dimension=DIMENSION, data=vectors[0].tobytes())
    code = representation_pb2.Codes(bits=BITS, data=codes[0].tobytes())
    exact = pb.SearchParameters(exact=True)
    requests = {
        "Hamming": pb.SearchRequest(collection="codes", codes=code, k=K),
        "cosine, IVF": pb.SearchRequest(collection="vectors", vectors=vector, k=K),
        "cosine, exact": pb.SearchRequest(
            collection="vectors", vectors=vector, k=K, parameters=exact
        ),
    }
    faiss.omp_set_num_threads(1)
    flat, binary = faiss.IndexFlatIP(DIMENSION), faiss.IndexBinaryFlat(64)
    flat.add(vectors)
    binary.add(np.pad(codes, ((0, 0), (0, 2))))
    query = np.pad(codes[:1], ((0, 0), (0, 2)))
    with answering(stub.Search(requests["Hamming"])) as floor_address:
        floor = RetrievalServiceStub(grpc.insecure_channel(floor_address))
        contenders = {
            "canned answer over gRPC": _call(floor, requests["Hamming"]),
            "canned answer, 768-d query": _call(floor, requests["cosine, IVF"]),
            **{name: _call(stub, request) for name, request in requests.items()},
            "bare FAISS, Hamming": lambda: binary.search(query, K),
            "bare FAISS, cosine exact": lambda: flat.search(vectors[:1], K),
        }
        medians = medians_us(contenders, rounds=rounds, calls=calls)
    base = medians["canned answer over gRPC"]
    return {
        name: {"us": value, "ratio_to_canned": round(value / base, 2)}
        for name, value in medians.items()
    }


def _call(stub: RetrievalServiceStub, request: pb.SearchRequest) -> Any:
    return lambda: stub.Search(request)
