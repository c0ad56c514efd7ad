"""Retrieval judged on a server's own answers: index, search every query, drop, compare.

The server learns neither class nor name: items have random ids and come in a random order.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cipherlens.client import (
    CipherLensError,
    Client,
    EncryptedPicture,
    Hits,
    NotFound,
    SearchOptions,
)
from cipherlens.client.cli.console import progress_bar, remark
from cipherlens.client.cli.failure import CommandError
from cipherlens.crypto import CipherImage
from cipherlens.model.checkpoint import read_configuration
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.embedder import Embedder
from cipherlens.model.evaluation import evaluate_codes, evaluate_vectors
from cipherlens.model.evaluation.agreement import Agreement, compare_rankings
from cipherlens.model.evaluation.rankings import Rankings, Scores, rank_codes, rank_vectors
from cipherlens.model.evaluation.retrieval_task import RetrievalTask, retrieval_task
from cipherlens.model.hash_encoder import HashEncoder

FULL_RANKING = 5000
"""Collections of up to so many items are ranked in full."""

TOP = 1000
"""Hits of a query in larger ones, the query itself not counted."""

_QUERIES = 64  # in one call: more would only lengthen the steps of the progress bar
_EMBEDDED = 256

Entry = TypeVar("Entry")

Found = tuple[Rankings, Rankings]
"""What the server answered, and the same from memory."""


def evaluate_served(
    client: Client, source: Path | bytes, images: PreparedImages, *, part: str, device: str
) -> Agreement:
    """Return how well a checkpoint ranks a part of the data through a server, and in memory.

    A network of encrypted pictures is pushed and the client's key encrypts; codes are made here.
    Every comparison is with all items, whatever index the server has. What each query finds is
    judged by the order in which it came.

    Raises:
        CommandError: a network of plain pictures, which no server takes, or a wrong answer.
        CheckpointError, DataError, ValueError: as `retrieval_task` does.
    """
    configuration = read_configuration(source)
    task = _shuffled(retrieval_task(configuration, images, part))
    if configuration.architecture == "hash":
        served, memory = _by_codes(client, HashEncoder(source, device), task)
        ranks = evaluate_codes.RANKS
    elif configuration.profile is not None and isinstance(source, Path):
        served, memory = _by_cipher_images(client, source, Embedder(source, device), task)
        ranks = evaluate_vectors.RANKS
    else:
        raise CommandError(
            "a server takes no network of plain pictures",
            hint="it is evaluated in memory, without --server",
        )
    return compare_rankings(
        served,
        memory,
        task.queries.labels,
        task.database.labels,
        exclude_self=task.exclude_self,
        ranks=ranks,
    )


def _by_codes(client: Client, encoder: HashEncoder, task: RetrievalTask) -> Found:
    """Return the rankings of a hash network's codes."""
    codes = evaluate_codes.encode_images(encoder, task.database)
    queries = codes
    if not task.exclude_self:
        queries = evaluate_codes.encode_images(encoder, task.queries)
    ids, k = _random_ids(len(codes)), _depth(client, task)
    with _own_collection(client) as name:
        client.create_code_collection(name, encoder.bits)
        written = client.index_codes(name, ids, codes)
        options = SearchOptions(exact=True, min_sequence=written.sequence)
        served = _searched(
            ids,
            len(queries),
            k,
            lambda part: client.search_codes(name, queries[part], k, options=options),
        )
    return served, rank_codes(queries, codes, k)


def _by_cipher_images(
    client: Client, checkpoint: Path, embedder: Embedder, task: RetrievalTask
) -> Found:
    """Return the rankings of a network of encrypted pictures, each of which queries the others.

    A query is the very cipher-image that is stored: its own vector must come back, and all others
    have nonces of their own in any case.
    """
    images = client.cipher.encrypt_images(task.database.images)
    ids, k = _random_ids(len(images)), _depth(client, task)
    with _own_collection(client) as name:
        client.create_cipher_collection(name)
        client.push_model(checkpoint, collection=name)
        pictures = (EncryptedPicture(cipher_image=image) for image in _shown("items", images))
        written = client.index_encrypted(name, ids, pictures)
        options = SearchOptions(exact=True, min_sequence=written.sequence)
        served = _searched(
            ids,
            len(images),
            k,
            lambda part: client.search_cipher_images(name, images[part], k, options=options),
        )
    vectors = _embedded(embedder, images)
    return served, rank_vectors(vectors, vectors, k)


@contextmanager
def _own_collection(client: Client) -> Iterator[str]:
    """Give the random name of a collection to make; it is dropped in every case, if it is there."""
    name = f"evaluation-{secrets.token_hex(8)}"
    try:
        yield name
    finally:
        try:
            client.delete_collection(name)
        except NotFound:
            pass
        except CipherLensError as error:
            remark(f"'cipherlens collection drop {name}' is left to do: {error.message}")


def _searched(
    ids: Sequence[str], queries: int, k: int, search: Callable[[slice], Sequence[Hits]]
) -> Rankings:
    """Return what a search finds for all queries, a part of them at a time.

    Raises:
        CommandError: the server does not answer with k items of the collection.
    """
    places = {item_id: place for place, item_id in enumerate(ids)}
    positions = np.empty((queries, k), dtype=np.int64)
    scores: list[Scores] = []
    for start in _shown("queries", range(0, queries, _QUERIES)):
        for hits in search(slice(start, start + _QUERIES)):
            if len(hits) != k or not places.keys() >= set(hits.item_ids):
                raise CommandError(f"the server did not answer with {k} items of the collection")
            positions[len(scores)] = [places[item_id] for item_id in hits.item_ids]
            scores.append(_scores(hits))
    stacked: NDArray[Any] = np.stack(scores)
    return Rankings(positions=positions, scores=stacked)


def _scores(hits: Hits) -> Scores:
    """Return the cosines or the Hamming distances of one query's hits."""
    if hits.distances:
        return np.array(hits.distances, dtype=np.int64)
    return np.array(hits.similarities, dtype=np.float32)


def _depth(client: Client, task: RetrievalTask) -> int:
    """Return the hits to ask for: all items, or the first of many and the query itself."""
    items = len(task.database)
    wanted = items if items <= FULL_RANKING else TOP + task.exclude_self
    return min(wanted, client.limits.max_k)


def _random_ids(count: int) -> list[str]:
    return [secrets.token_hex(16) for _ in range(count)]


def _shuffled(task: RetrievalTask) -> RetrievalTask:
    """Return the images in a random order, as the order of a folder gives away its classes."""
    database = _in_random_order(task.database)
    queries = database if task.exclude_self else _in_random_order(task.queries)
    return replace(task, queries=queries, database=database)


def _in_random_order(images: PreparedImages) -> PreparedImages:
    order = secrets.SystemRandom().sample(range(len(images)), len(images))
    return images.take(np.array(order, dtype=np.intp))


def _embedded(embedder: Embedder, images: Sequence[CipherImage]) -> NDArray[np.float32]:
    """Return the vectors of cipher-images of either orientation, (n, dimension) float32."""
    vectors = np.empty((len(images), embedder.dimension), dtype=np.float32)
    for positions, pixels in by_shape([image.pixels for image in images], _EMBEDDED):
        vectors[positions] = embedder.embed(pixels)
    return vectors


def _shown(what: str, entries: Sequence[Entry]) -> Iterator[Entry]:
    with progress_bar() as bar:
        yield from bar.track(entries, description=what)
