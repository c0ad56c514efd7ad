"""Real codes and vectors for the timing tables: Fashion-MNIST through the trained networks.

How long a search takes does not depend on how good the networks are, but it may depend on how
codes and vectors lie: random ones have no clusters and no equal codes. One epoch gives both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.progress import say
from benchmarks.methods import corel10k
from benchmarks.methods.checkpoints import Trained
from benchmarks.methods.fashion_mnist import BITS
from benchmarks.methods.method import features
from benchmarks.methods.trained_network import FittedNetwork
from benchmarks.timing.growth import SIZES
from benchmarks.timing.networks import facts, prepared, trained_end_to_end, trained_hash_network
from cipherlens.model.data.images import split_images

QUERIES = 100
SEED = 1

DATA = (
    "Fashion-MNIST: 10,000 training pictures to store and 100 test pictures to ask with, drawn "
    f"with seed {SEED}"
)
DATA_AT_PAPERS_SCALE = (
    "Corel10K: its 10,000 pictures to store, those of a try again and again, and 100 of the test "
    f"part to ask with, drawn with seed {SEED}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """Plain pictures, (n, h, w, 3) uint8: 10,000 to store, 100 to ask with."""

    stored: NDArray[np.uint8]
    queries: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Features:
    """Codes or vectors of the pictures, and which network made them."""

    stored: NDArray[Any]
    queries: NDArray[Any]
    network: dict[str, Any]


def code_features(profile: str, lengths: Sequence[int] = BITS) -> dict[int, Features]:
    """Return the codes of each length in bits."""
    return {bits: _features(profile, trained_hash_network(profile, bits)) for bits in lengths}


def vector_features(profile: str) -> Features:
    """Return the unit vectors, float32, of the pictures' cipher-images."""
    return _features(profile, trained_end_to_end(profile))


@cache
def pictures(size: int) -> Pictures:
    """Return the chosen pictures, prepared to size x size."""
    data = prepared(size)
    held_out = np.asarray(data.held_out)
    draw = np.random.default_rng(SEED)
    stored = draw.permutation(np.flatnonzero(~held_out))[: SIZES[-1]]
    queries = draw.permutation(np.flatnonzero(held_out))[:QUERIES]
    return Pictures(
        stored=np.stack(data.take(stored).images), queries=np.stack(data.take(queries).images)
    )


def _features(profile: str, trained: Trained) -> Features:
    if profile in corel10k.STORES:
        return _at_papers_scale(profile, trained)
    network = FittedNetwork(trained.checkpoint, trained.network.encryptor, device="cpu")
    chosen = pictures(network.configuration.network.height)
    generator = np.random.default_rng(SEED)
    say(f"making the features of 10,000 pictures: {trained.network.name}")
    return Features(
        stored=network.encode(network.encrypt(chosen.stored, generator)),
        queries=network.encode(network.encrypt(chosen.queries, generator)),
        network=facts(trained),
    )


def _at_papers_scale(profile: str, trained: Trained) -> Features:
    network = FittedNetwork(trained.checkpoint, trained.network.encryptor)
    data = corel10k.pictures(network.configuration.network, profile)
    draw = np.random.default_rng(SEED)
    asking = draw.permutation(split_images(data, trained.network.split).test)[:QUERIES]
    say(f"making the features of {len(data)} pictures: {trained.network.name}")
    found = features(network, data.take(draw.permutation(len(data))))
    return Features(
        stored=np.resize(found, (SIZES[-1], *found.shape[1:])),
        queries=features(network, data.take(asking)),
        network=facts(trained),
    )
