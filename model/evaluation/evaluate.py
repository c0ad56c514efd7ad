"""How well a network ranks held-out images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from cipherlens.model.checkpoint import load_network, read_configuration
from cipherlens.model.codes import binarise
from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.evaluation.evaluate_codes import RANKS as CODE_RANKS
from cipherlens.model.evaluation.evaluate_codes import encode_images, evaluate_codes
from cipherlens.model.evaluation.evaluate_vectors import RANKS as VECTOR_RANKS
from cipherlens.model.evaluation.evaluate_vectors import evaluate_vectors
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.retrieval_task import RetrievalTask, check_pairs, retrieval_task
from cipherlens.model.hash_encoder import HashEncoder
from cipherlens.model.inference import batches
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.networks.network import RetrievalNetwork, to_input
from cipherlens.model.precision import autocast, resolve_device, resolve_precision

BATCH = 64


def evaluate(
    network: RetrievalNetwork,
    images: PreparedImages,
    encryptor: Encryptor,
    *,
    precision: str = "auto",
    ranks: Sequence[int] | None = None,
) -> Evaluation:
    """Return how well the network ranks plain `images` after encrypting them.

    Each image queries all the others, by cosine or, with a hash network, by the Hamming distance of
    codes. Images that are alone in their class rank with the others but do not query. `ranks` are
    those of `evaluate_vectors` or `evaluate_codes` if none are given.

    Raises:
        DataError: if no class has two images.
    """
    check_pairs(images)
    labels = images.labels
    if isinstance(network, HashNetwork):
        activations = outputs(network, images, encryptor, precision=precision)
        codes, bits = binarise(activations, network.config.threshold), network.config.bits
        return evaluate_codes(
            codes, codes, labels, labels, bits=bits, exclude_self=True, ranks=ranks or CODE_RANKS
        )
    vectors = features(network, images, encryptor, precision=precision)
    return evaluate_vectors(
        vectors, vectors, labels, labels, exclude_self=True, ranks=ranks or VECTOR_RANKS
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
    held-out one; `retrieval_task` says what it searches. A hash network reads the images plain,
    without the encryptor, and in float32 where `precision` is "auto", as codes are made.

    Raises:
        CheckpointError: if the checkpoint is damaged or does not say how its data was split.
        DataError: if the data is not what the network was trained on, or there is nothing in the
            part to retrieve.
        ValueError: if the part or the device is unknown.
    """
    target = resolve_device(device)
    configuration = read_configuration(source)
    task = retrieval_task(configuration, data, part)
    if configuration.architecture == "hash":
        encoder = HashEncoder(source, device, "fp32" if precision == "auto" else precision)
        return _evaluate_encoder(encoder, task)
    network = load_network(source).to(target)
    return evaluate(network, task.queries, encryptor, precision=precision)


def features(
    network: RetrievalNetwork, images: PreparedImages, encryptor: Encryptor, *, precision: str
) -> NDArray[np.float32]:
    """Return (n, feature_dim) float32 unit vectors of plain images after encrypting them.

    The network is left in evaluation mode.
    """
    found = torch.from_numpy(outputs(network, images, encryptor, precision=precision))
    vectors: NDArray[np.float32] = normalize(found).numpy()
    return vectors


@torch.inference_mode()
def outputs(
    network: RetrievalNetwork, images: PreparedImages, encryptor: Encryptor, *, precision: str
) -> NDArray[np.float32]:
    """Return what the network makes, (n, dim) float32, of plain images after encrypting them.

    The network is left in evaluation mode.
    """
    network.eval()
    device = next(network.parameters()).device
    resolved = resolve_precision(precision, device)
    generator = np.random.default_rng(0)
    values = np.empty((len(images), network.dimension), dtype=np.float32)
    for positions, pixels in by_shape(images.images, BATCH):
        encrypted = encryptor(pixels, generator)
        for batch in batches(encrypted, device, BATCH):
            with autocast(device, resolved):
                outcome = network(to_input(encrypted[batch], device))
            values[positions[batch]] = outcome.float().cpu().numpy()
    return values


def _evaluate_encoder(encoder: HashEncoder, task: RetrievalTask) -> Evaluation:
    """Return how well a hash network's codes rank."""
    codes = encode_images(encoder, task.queries)
    return evaluate_codes(
        codes,
        codes if task.exclude_self else encode_images(encoder, task.database),
        task.queries.labels,
        task.database.labels,
        bits=encoder.bits,
        exclude_self=task.exclude_self,
    )
