"""What indexes are compared on: pictures' pixels, and rows around centres, drawn from a seed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.pictures import fashion_mnist_folder
from cipherlens.base import IndexChoice, Kind
from cipherlens.model.data.idx import read_idx

SEED = 1
QUERIES = 512
DIMENSION, BITS = 768, 64

_ALL = (IndexChoice.FLAT, IndexChoice.IVF, IndexChoice.HNSW)
_USUAL_NOISE = 2.0

Rows = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Data:
    """Rows to store and queries that are none of them.

    choices: the indexes to compare. A graph of 100,000 takes a minute to build, and another for the
        raw one, so only some data have one.
    rows: unit vectors as float32, or codes as packed bits.
    """

    name: str
    kind: Kind
    choices: Sequence[IndexChoice]
    rows: Rows
    queries: Rows


def clusters(noise: float, count: int) -> Data:
    """Return unit vectors around 100 centres, with so many times the centres' size of noise."""
    draw = np.random.default_rng(SEED)
    centres = draw.standard_normal((100, DIMENSION), np.float32)

    def around(count: int) -> Rows:
        rows = np.float32(noise) * draw.standard_normal((count, DIMENSION), np.float32)
        rows += centres[draw.integers(0, len(centres), count)]
        return _unit(rows)

    choices = _ALL if noise == _USUAL_NOISE else _ALL[:2]
    return Data(f"clusters, noise {noise}", Kind.VECTOR, choices, around(count), around(QUERIES))


def pictures(count: int) -> Data:
    """Return the pixels of Fashion-MNIST, 784 a picture; its test part asks."""
    folder = fashion_mnist_folder()
    stored = read_idx(folder / "train-images-idx3-ubyte.gz", 3)[:count]
    asking = read_idx(folder / "t10k-images-idx3-ubyte.gz", 3)[:QUERIES]
    rows = [_unit(part.reshape(len(part), -1).astype(np.float32)) for part in (stored, asking)]
    return Data("Fashion-MNIST pixels", Kind.VECTOR, _ALL, *rows)


def code_clusters(count: int) -> Data:
    """Return codes around 1,000 centres, each bit flipped with a probability of .1."""
    draw = np.random.default_rng(SEED)
    centres = draw.random((1000, BITS)) < 0.5

    def around(count: int) -> Rows:
        near = centres[draw.integers(0, len(centres), count)]
        return np.packbits(near ^ (draw.random(near.shape, np.float32) < 0.1), axis=1)

    return Data("codes around centres", Kind.CODE, _ALL[:2], around(count), around(QUERIES))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def drawn(profile: str) -> list[Callable[[], Data]]:
    """Return what draws each data set, smallest first; `quick` leaves the largest vectors out."""
    is_full = profile == "full"
    noises = (0.9, _USUAL_NOISE, 3.0) if is_full else (_USUAL_NOISE,)
    found = [partial(clusters, noise, size) for size in (2000, 10_000) for noise in noises]
    found += [partial(pictures, size) for size in (2000, 10_000)]
    if is_full:
        found += [partial(clusters, noise, 100_000) for noise in noises[1:]]
        found.append(partial(pictures, 60_000))
    return [*found, *(partial(code_clusters, size) for size in (10_000, 1_000_000))]
