"""How long it takes to build the index of 2,000 to 10,000 images: DLHEIR Fig. 5.

In process: codes and vectors appended to our index, and its inverted lists trained, beside the bare
FAISS calls. Through the server, in a process of its own: the same rows written by the client, each
answer meaning that they are on disk and searchable, and the start of a server that makes its
indexes from the database, until it has answered a search of codes and one of vectors. The floor of
the last is the start of an empty server. All take turns in every round; a figure is the median.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.harness.progress import told
from benchmarks.harness.rounds import medians, milliseconds
from benchmarks.harness.server import serving
from benchmarks.harness.stored import item_ids, store_codes, store_vectors
from benchmarks.timing.features import DATA, SEED, code_features, vector_features
from benchmarks.timing.growth import SIZES, level, panel, table
from benchmarks.timing.local import Codes, K, Vectors
from benchmarks.timing.networks import BITS
from cipherlens.client import Client
from cipherlens.server.index import (
    CosineIndex,
    HammingIndex,
    resolve_device,
    use_one_thread,
)
from cipherlens.server.index.codes import padded_codes, stored_size_bytes
from cipherlens.server.index.untyped import faiss

PLACE = 15

ROUNDS = {"quick": 3, "full": 11}
EMPTY = "empty server, from start to first answer"
START = "server with both, from start to first searches"

NOTES = """
The paper has no index: it compares a query with every code, so its Fig. 5 shows 0 for DLHEIR, and
curves without numbers for the two schemes it compares with, which [scheme-time](#scheme-time) runs.
Ours does the same for codes: appending is copying, and what a served collection costs is the
transaction that makes it durable. Only vectors have something to build, the inverted lists; the
server trains them in the background, and searches are exact until then. Training takes longer than
bare FAISS's as it also measures how many lists a search has to probe. What a stored image adds to a
start is the difference of two starts, each of which strays by more than that on a busy machine.
"""

Measures = dict[tuple[str, int], Callable[[], float]]
"""What returns milliseconds, by what is built and its size."""


def run(profile: str) -> dict[str, Any]:
    """Return medians in milliseconds of building each collection, and the growth."""
    codes, vectors = code_features(profile, [BITS])[BITS], vector_features(profile)
    use_one_thread()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        client = stack.enter_context(Client(stack.enter_context(serving(folder / "written"))))
        measures: Measures = {}
        for size in SIZES:
            parts = codes.stored[:size], vectors.stored[:size]
            measures |= _local(*parts) | _written(client, *parts)
        measures |= _started(folder, codes.stored, vectors.stored)
        found = medians(measures, rounds=ROUNDS[profile])
    return {
        "unit": "milliseconds",
        "data": DATA,
        "seed": SEED,
        "rounds": ROUNDS[profile],
        "dimension": vectors.stored.shape[1],
        "networks": {f"{BITS} bits": codes.network, "cosine": vectors.network},
        **tables({key: round(each, 3) for key, each in found.items()}),
    }


def tables(times: Mapping[tuple[str, int], float]) -> dict[str, Any]:
    """Return the tables and the plot of milliseconds by what was built and its size, 0 for none."""
    names = list(dict.fromkeys(name for name, size in times if size))
    rows = {name: [times[name, size] for size in SIZES] for name in names}
    results = table(rows) | {EMPTY: {f"{SIZES[0]:,}": times[EMPTY, 0]}}
    above = {
        f"{size:,}": round((times[START, size] - times[EMPTY, 0]) * 1000 / size, 1)
        for size in SIZES
    }
    drawn = panel(
        f"codes of {BITS} bits and vectors",
        rows | {EMPTY: level(times[EMPTY, 0])},
        x="images in the collection",
        y="time (ms)",
    )
    return {
        "results": results,
        "paper": {"DLHEIR": {f"{size:,}": 0 for size in SIZES}},
        "tables": {"Microseconds that a stored image adds to a start": {"start": above}},
        "plots": {"index-time": {"title": "Building an index", "panels": [drawn]}},
    }


def _local(codes: Codes, vectors: Vectors) -> Measures:
    """Return what builds indexes in this process."""
    device = resolve_device("cpu")
    dimension, stored = vectors.shape[1], stored_size_bytes(BITS)
    filled = CosineIndex(dimension, device)
    filled.append(vectors)
    untrained = filled.state()
    filled.train(SEED)
    lists = filled.describe().nlist

    def trained_lists() -> None:
        index = CosineIndex(dimension, device)
        index.restore(untrained)  # takes the rows as they lie
        index.train(SEED)

    def bare_lists() -> None:
        centroids = faiss.IndexFlatIP(dimension)
        ivf = faiss.IndexIVFFlat(centroids, dimension, lists, faiss.METRIC_INNER_PRODUCT)
        ivf.train(vectors)
        ivf.add(vectors)

    tasks: dict[str, Callable[[], object]] = {
        "codes, appended in process": lambda: HammingIndex(BITS).append(codes),
        "codes, bare FAISS": lambda: faiss.IndexBinaryFlat(8 * stored).add(
            padded_codes(codes, stored)
        ),
        "vectors, appended in process": lambda: CosineIndex(dimension, device).append(vectors),
        "vectors, lists trained in process": trained_lists,
        "vectors, lists by bare FAISS": bare_lists,
    }
    return {(name, len(codes)): partial(milliseconds, task) for name, task in tasks.items()}


def _written(client: Client, codes: Codes, vectors: Vectors) -> Measures:
    """Return what fills a new collection through the server."""
    ids = item_ids(codes)

    def code_ms() -> float:
        where = client.create_code_collection("codes", BITS)
        spent = milliseconds(lambda: client.index_codes(where, ids, codes))
        client.delete_collection("codes")
        return spent

    def vector_ms() -> float:
        where = client.create_vector_collection("vectors", vectors.shape[1])
        spent = milliseconds(lambda: client.index_vectors(where, ids, vectors))
        client.delete_collection("vectors")
        return spent

    return {
        ("codes, written through the server", len(codes)): code_ms,
        ("vectors, written through the server", len(codes)): vector_ms,
    }


def _started(folder: Path, codes: Codes, vectors: Vectors) -> Measures:
    """Fill a data folder for each size and return what starts a server on each, and on none."""
    for size in told("filling data folders", SIZES):
        with serving(folder / str(size)) as address, Client(address) as client:
            store_codes(client, "codes", codes[:size], BITS)
            store_vectors(client, "vectors", vectors[:size])

    def start_ms(size: int) -> float:
        started = time.perf_counter()
        with serving(folder / str(size)) as address, Client(address) as client:
            if size:
                client.search_codes("codes", codes[:1], K)
                client.search_vectors("vectors", vectors[:1], K)
            else:
                client.server_info()
            return (time.perf_counter() - started) * 1000

    empty: Measures = {(EMPTY, 0): partial(start_ms, 0)}
    return empty | {(START, size): partial(start_ms, size) for size in SIZES}
