"""Vectors and codes of real encoders: what owners store without cipher-images, and beside them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.harness.places import ROOT
from benchmarks.leakage.owner import Owner
from cipherlens.crypto import CipherParameters
from cipherlens.model.config import DistillConfig
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.embedder import Embedder
from cipherlens.model.training.teacher import Teacher

DIMENSION, BITS = 256, 48
_SETTINGS = ROOT / "demo" / "distil.toml"
_SHIPPED = ROOT / "demo" / "model.safetensors"
_BATCH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """What an encoder that anybody may have makes of plain pictures.

    Attributes:
        vectors: (n, 256) float32 unit vectors: the first principal components of what
            EfficientNet-Lite0 with ImageNet weights makes.
        bits: (n, 48) of 0 and 1: signs of the first 48 of them after a fixed rotation, as in
            PCA-RR (Gong et al. 2013); about half of each are ones.
    """

    vectors: NDArray[np.float32]
    bits: NDArray[np.uint8]


_latest: dict[str, Encoded] = {}


def encoded(images: PreparedImages) -> Encoded:
    """Return the vectors and codes of plain pictures, those of the latest set at once."""
    digest = images.digest()
    if digest not in _latest:
        _latest.clear()
        _latest[digest] = _encoded(_teacher().vectors(np.stack(images.images)))
    return _latest[digest]


def shipped_vectors(images: PreparedImages, substituted: int, seed: int) -> NDArray[np.float32]:
    """Return what the shipped network, on the server, makes of cipher-images under fresh keys."""
    parameters = CipherParameters(
        height=images.height, width=images.width, block_size=16, substituted_blocks=substituted
    )
    seen = Owner(parameters, seed).seen(np.stack(images.images))
    network = Embedder(_SHIPPED, "cpu")
    parts = [network.embed(seen[start : start + _BATCH]) for start in range(0, len(seen), _BATCH)]
    return np.concatenate(parts)


@lru_cache(maxsize=1)
def _teacher() -> Teacher:
    return Teacher(DistillConfig.from_toml(_SETTINGS), torch.device("cpu"))


def _encoded(made: NDArray[np.float32]) -> Encoded:
    centred = made - made.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    components = centred @ axes[:DIMENSION].T
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((BITS, BITS)))
    lengths = np.linalg.norm(components, axis=1, keepdims=True)
    return Encoded(
        vectors=(components / lengths).astype(np.float32),
        bits=(components[:, :BITS] @ turn > 0).astype(np.uint8),
    )
