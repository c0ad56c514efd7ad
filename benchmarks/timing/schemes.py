"""What is timed of each scheme: making features and trapdoors, building an index, searching it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods import corel10k, loss_settings
from benchmarks.methods.cases import CASES
from benchmarks.methods.draws import Draws
from benchmarks.methods.evit import EViT
from benchmarks.methods.literature import OF_CIPHERTEXT, TITLES, typical
from benchmarks.methods.method import Features, Ranker
from benchmarks.methods.qin import Qin
from benchmarks.methods.qsmih import QSMIH
from benchmarks.methods.secure_knn import scores
from benchmarks.methods.trained_network import FittedNetwork
from benchmarks.methods.untrained import untrained
from benchmarks.methods.xia_colour import HiddenDescriptor, XiaCSD, XiaSCD
from benchmarks.timing.networks import BITS, random_dlheir
from cipherlens.base import code_size_bytes
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages
from cipherlens.server.index import HammingIndex

K = 20

CSD, SCD, QIN, QSMIH_CODES = "Xia (CSD)", "Xia (SCD)", "Qin", "like QSMIH, 48 bits"
DLHEIR, VIT, EVIT = "DLHEIR, 384x384", "our ViT-Base, P=8", "EViT"

_QIN_BITS = 256

Search = Callable[[Features], object]
"""Finds the nearest to one query, (1, ...)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Collection:
    """Features of pictures that can be searched.

    Attributes:
        queries: what a search takes, a row for each picture.
        built: builds the index of so many rows, the given ones over and over, and returns its
            search.
        makes_index: whether that makes something of the features; else there is nothing to time.
    """

    queries: Features
    built: Callable[[int], Search]
    makes_index: bool


class Timed(Protocol):
    """A scheme with a key; pictures are plain ones of one shape, (n, h, w, 3) uint8."""

    def features(self, pixels: Pixels) -> Features:
        """Return what an index is built of, whoever makes it: the owner, or owner and server."""

    def trapdoor(self, pixels: Pixels) -> object:
        """Return what a user sends to ask by pictures."""

    def collection(self, features: Features) -> Collection:
        """Return the features as they are searched."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Coded:
    """A scheme of codes, which are their own trapdoors."""

    ranker: Ranker
    bits: int

    def features(self, pixels: Pixels) -> Features:
        """Return the codes."""
        return self.ranker.encode(encrypted(self.ranker, pixels))

    def trapdoor(self, pixels: Pixels) -> object:
        """Return the same."""
        return self.features(pixels)

    def collection(self, features: Features) -> Collection:
        """Return the codes in our index."""
        return code_collection(features, self.bits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hidden:
    """A scheme of descriptors under secure kNN, of which those that ask are hidden otherwise."""

    ranker: HiddenDescriptor

    def features(self, pixels: Pixels) -> Features:
        """Return the plain descriptors."""
        return self.ranker.describe(pixels)

    def trapdoor(self, pixels: Pixels) -> object:
        """Return descriptors that ask."""
        return self._asking(self.features(pixels))

    def collection(self, features: Features) -> Collection:
        """Return the descriptors, to be hidden."""

        def built(size: int) -> Search:
            stored = self.ranker.key.index(repeated(features, size), np.random.default_rng(1))
            return lambda trapdoor: nearest(-scores(trapdoor, stored)[0])

        return Collection(queries=self._asking(features), built=built, makes_index=True)

    def _asking(self, features: Features) -> Features:
        return self.ranker.key.trapdoor(features, np.random.default_rng(0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A scheme whose server makes features of ciphertext and compares them one by one."""

    ranker: Ranker

    def features(self, pixels: Pixels) -> Features:
        """Return the features, the owner's encryption before them."""
        return self.ranker.encode(encrypted(self.ranker, pixels))

    def trapdoor(self, pixels: Pixels) -> object:
        """Return the encrypted pictures: their features are the server's work."""
        return encrypted(self.ranker, pixels)

    def collection(self, features: Features) -> Collection:
        """Return the features as they are."""

        def held(size: int) -> Search:
            rows = repeated(features, size)
            return lambda query: nearest(self.ranker.distances(query, rows)[0])

        return Collection(queries=features, built=held, makes_index=False)


def code_collection(codes: Features, bits: int) -> Collection:
    """Return codes, (n, bytes) uint8, in our index: it compares them one by one, as DLHEIR does."""

    def built(size: int) -> Search:
        index = HammingIndex(bits)
        index.append(repeated(codes, size))
        return partial(index.search, k=K)

    return Collection(queries=codes, built=built, makes_index=True)


def comparators(data: PreparedImages) -> dict[str, Timed]:
    """Return every scheme of the literature with a key and words of the pictures.

    Of what a paper leaves open the middle is taken of all that `methods` tries; EViT and QSMIH have
    not learned.
    """
    draws = Draws(0)
    return {
        CSD: Hidden(ranker=XiaCSD(cells=256).fit(data, draws)),
        SCD: Hidden(ranker=XiaSCD().fit(data, draws)),
        QIN: Coded(ranker=Qin(words=256, bits=_QIN_BITS).fit(data, draws), bits=_QIN_BITS),
        QSMIH_CODES: Coded(ranker=QSMIH(bits=BITS, epochs=0).fit(data, draws), bits=BITS),
        EVIT: Compared(ranker=EViT(epochs=0).fit(data, draws)),
        **{TITLES[name]: Compared(ranker=typical(name).fit(data, draws)) for name in OF_CIPHERTEXT},
    }


def networks(data: PreparedImages, folder: Path) -> dict[str, Timed]:
    """Return both papers' networks with random weights; their checkpoints lie in the folder."""
    dlheir = FittedNetwork(random_dlheir(folder, corel10k.SIDES[0]), device="cpu")
    config = corel10k.starting(corel10k.e2e("paper"), corel10k.RANDOM)
    end_to_end = loss_settings.network(corel10k.SIZE, config, CASES[0], loss_settings.SETTINGS[-1])
    vit = untrained(end_to_end).fit(data, folder / "vit.safetensors")
    return {DLHEIR: Coded(ranker=dlheir, bits=BITS), VIT: Compared(ranker=vit)}


def encrypted(ranker: Ranker, pixels: Pixels) -> Any:
    """Return what the server gets of pictures."""
    return ranker.encrypt(pixels, np.random.default_rng(0))


def nearest(distances: NDArray[Any]) -> NDArray[np.intp]:
    """Return the positions of the K smallest of (n,) distances, best first."""
    best = np.argpartition(distances, K)[:K]
    return best[np.argsort(distances[best])]


def repeated(rows: NDArray[Any], size: int) -> NDArray[Any]:
    """Return `size` rows, the given ones over and over."""
    return np.ascontiguousarray(rows[np.arange(size) % len(rows)])


def shortened(codes: NDArray[np.uint8], bits: int) -> NDArray[np.uint8]:
    """Return the first bits of codes, unused ones zero."""
    short = codes[:, : code_size_bytes(bits)].copy()
    if bits % 8:
        short[:, -1] &= (1 << bits % 8) - 1
    return short
