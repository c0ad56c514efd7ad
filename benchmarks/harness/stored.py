"""Collections in a server, to be searched."""

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.client import Client

_TRAINING_LIMIT_S = 60.0


def store_codes(client: Client, name: str, codes: NDArray[np.uint8], bits: int) -> None:
    """Make a collection of codes."""
    client.create_code_collection(name, bits)
    client.index_codes(name, item_ids(codes), codes)


def store_vectors(
    client: Client, name: str, vectors: NDArray[np.float32], index: str = "auto"
) -> None:
    """Make a collection of vectors with an index of this choice."""
    client.create_vector_collection(name, vectors.shape[1], index=index)
    client.index_vectors(name, item_ids(vectors), vectors)


def item_ids(rows: NDArray[Any]) -> list[str]:
    """Return an id for each row."""
    return [f"item-{number:05}" for number in range(len(rows))]


def wait_for_graph(client: Client, collection: str) -> None:
    """Return once the server has built the graph of a vector collection."""
    deadline = time.monotonic() + _TRAINING_LIMIT_S
    while "hnsw" not in client.get_collection(collection).index.kind:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{collection} has no graph after {_TRAINING_LIMIT_S:.0f} s")
        time.sleep(0.05)


def wait_for_lists(client: Client, collection: str) -> int:
    """Return the number of lists of a vector collection, once the server has trained them."""
    deadline = time.monotonic() + _TRAINING_LIMIT_S
    while not (lists := client.get_collection(collection).index.nlist):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{collection} has no lists after {_TRAINING_LIMIT_S:.0f} s")
        time.sleep(0.05)
    return lists
