"""Real codes and vectors for the timing tables: Fashion-MNIST through the trained networks.

How long a search takes does not depend on how good the networks are, but it may depend on how
codes and vectors lie: random ones have no clusters and no equal codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.fashion_mnist_e2e import SIZE, e2e_trainings, fashion_mnist
from benchmarks.fashion_mnist_hash import BITS, hash_trainings
from benchmarks.progress import say
from benchmarks.training import Trained, Training, trained
from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.hash_encoder import HashEncoder

SIZES = (2000, 4000, 6000, 8000, 10_000)
"""The collections of DLHEIR Table 3 and Figs. 4 to 6."""

QUERIES = 100
SEED = 1
E2E = "fashion-mnist-one-key-1-of-4"

DATA = (
    "Fashion-MNIST: 10,000 training pictures to store and 100 test pictures to ask with, drawn "
    f"with seed {SEED}"
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


@dataclass(frozen=True, kw_only=True, slots=True)
class EndToEnd:
    """The end-to-end network of the vectors, and the cipher whose images it embeds."""

    checkpoint: Path
    encryptor: Encryptor
    facts: dict[str, Any]


def code_features(profile: str, lengths: Sequence[int] = BITS) -> dict[int, Features]:
    """Return the codes of each length in bits."""
    return {bits: _codes(trained_hash_network(profile, bits)) for bits in lengths}


def vector_features(profile: str) -> Features:
    """Return the unit vectors, float32, of the pictures' cipher-images."""
    network = trained_end_to_end(profile)
    embedder = Embedder(network.checkpoint)
    chosen = pictures(SIZE)
    generator = np.random.default_rng(SEED)
    say("embedding 10,000 cipher-images")
    return Features(
        stored=embedder.embed(network.encryptor(chosen.stored, generator)),
        queries=embedder.embed(network.encryptor(chosen.queries, generator)),
        network=network.facts,
    )


def trained_hash_network(profile: str, bits: int) -> Trained:
    """Return the hash network of a length, from an earlier run where there was one."""
    training = hash_trainings(profile)[bits]
    return _trained(training, training.config.network.height)


def trained_end_to_end(profile: str) -> EndToEnd:
    """Return the end-to-end network of one key, from an earlier run where there was one."""
    training = e2e_trainings(profile)[E2E]
    network = _trained(training, SIZE)
    return EndToEnd(
        checkpoint=network.checkpoint, encryptor=training.encryptor, facts=facts(network)
    )


def facts(network: Trained) -> dict[str, Any]:
    """Return which network it is and how well it retrieves."""
    return {
        "checkpoint": network.checkpoint.stem,
        "test_map": round(network.figures["test"]["map"], 4),
        "epochs": len(network.figures["log"]),
    }


@cache
def pictures(size: int) -> Pictures:
    """Return the chosen pictures, prepared to size x size."""
    data = _data(size)
    held_out = np.asarray(data.held_out)
    draw = np.random.default_rng(SEED)
    stored = draw.permutation(np.flatnonzero(~held_out))[: SIZES[-1]]
    queries = draw.permutation(np.flatnonzero(held_out))[:QUERIES]
    return Pictures(
        stored=np.stack(data.take(stored).images), queries=np.stack(data.take(queries).images)
    )


@cache
def _data(size: int) -> PreparedImages:
    say(f"preparing Fashion-MNIST at {size}x{size}")
    return fashion_mnist(size)


def _trained(training: Training, size: int) -> Trained:
    return trained(training, _data(size))


def _codes(network: Trained) -> Features:
    encoder = HashEncoder(network.checkpoint)
    chosen = pictures(encoder.height)
    say(f"making 10,000 codes of {encoder.bits} bits")
    return Features(
        stored=encoder.encode(chosen.stored),
        queries=encoder.encode(chosen.queries),
        network=facts(network),
    )
