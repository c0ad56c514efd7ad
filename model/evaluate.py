"""How well a network ranks held-out images: each queries all the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from cipherlens.model.checkpoint import load_network, read_configuration
from cipherlens.model.config import SplitConfig, record
from cipherlens.model.data import PARTS, PreparedImages, by_shape, split_images
from cipherlens.model.encryption import Encryptor
from cipherlens.model.errors import CheckpointError, DataError
from cipherlens.model.fields import check_choice
from cipherlens.model.metrics import (
    average_precision,
    chance_average_precision,
    precision_at,
    ranked_relevance,
)
from cipherlens.model.networks import EndToEndNetwork, to_input
from cipherlens.model.precision import autocast, resolve_device, resolve_precision

BATCH = 64
RANKS = (1, 5, 10, 20)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Retrieval quality over `queries` images, each ranking all the others.

    `chance` is the mAP to expect of a random order, `precision_at` maps k to the mean share of
    the query's class among the first k, for each k that there are images enough for.
    """

    queries: int
    mean_average_precision: float
    chance: float
    precision_at: dict[int, float]


def evaluate(
    network: EndToEndNetwork,
    images: PreparedImages,
    encryptor: Encryptor,
    *,
    precision: str = "auto",
    ranks: Sequence[int] = RANKS,
) -> Evaluation:
    """Return how well the network ranks plain `images` after encrypting them.

    Images that are alone in their class rank with the others but do not query.

    Raises:
        DataError: if no class has two images.
    """
    vectors = features(network, images, encryptor, precision=precision)
    relevance = ranked_relevance(
        vectors @ vectors.T, images.labels, images.labels, exclude_self=True
    )
    relevance = relevance[relevance.any(axis=1)]
    if not len(relevance):
        raise DataError("no class has two images: there is nothing to retrieve")
    total = relevance.shape[1]
    chances = [chance_average_precision(int(each), total) for each in relevance.sum(axis=1)]
    return Evaluation(
        queries=len(relevance),
        mean_average_precision=float(average_precision(relevance).mean()),
        chance=float(np.mean(chances)),
        precision_at={k: float(precision_at(relevance, k).mean()) for k in ranks if k <= total},
    )


def evaluate_checkpoint(
    source: Path | bytes,
    data: PreparedImages,
    encryptor: Encryptor,
    *,
    part: str = "test",
    device: str = "cpu",
    precision: str = "auto",
) -> Evaluation:
    """Return how well a checkpoint ranks a part of the data that it was trained on.

    The part is the one of the training's own split, so that no training image is taken for a
    held-out one.

    Raises:
        CheckpointError: if the checkpoint is damaged or does not say how its data was split.
        DataError: if the data is not what the network was trained on.
        ValueError: if the part or the device is unknown.
    """
    check_choice("part", part, PARTS)
    target = resolve_device(device)
    training = read_configuration(source).training
    try:
        config = record(SplitConfig, "split", training["config"]["split"])
        digest = training["data"]["digest"]
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError("checkpoint does not say how its data was split") from error
    if digest != data.digest():
        raise DataError(
            f"this is not the data of the training: digest {data.digest()} is not {digest}"
        )
    chosen = data.take(getattr(split_images(data, config), part))
    return evaluate(load_network(source).to(target), chosen, encryptor, precision=precision)


@torch.inference_mode()
def features(
    network: EndToEndNetwork, images: PreparedImages, encryptor: Encryptor, *, precision: str
) -> NDArray[np.float32]:
    """Return (n, feature_dim) float32 unit vectors of plain images after encrypting them.

    The network is left in evaluation mode.
    """
    network.eval()
    device = next(network.parameters()).device
    resolved = resolve_precision(precision, device)
    generator = np.random.default_rng(0)
    vectors = np.empty((len(images), network.config.feature_dim), dtype=np.float32)
    for positions, pixels in by_shape(images.images):
        for start in range(0, len(pixels), BATCH):
            batch = slice(start, start + BATCH)
            encrypted = encryptor(pixels[batch], generator)
            with autocast(device, resolved):
                outcome = network(to_input(encrypted, device))
            vectors[positions[batch]] = normalize(outcome.float()).cpu().numpy()
    return vectors
