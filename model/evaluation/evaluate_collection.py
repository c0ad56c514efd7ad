"""Whether a network is any good on somebody's own pictures: several keys, and plain baselines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.data.encryption import Encryptor, Pixels
from cipherlens.model.data.images import PreparedImages, by_shape
from cipherlens.model.evaluation.baselines import CIPHER, PLAIN, described
from cipherlens.model.evaluation.evaluate_vectors import evaluate_vectors
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.retrieval_task import check_pairs

BATCH = 64

Embed = Callable[[Pixels], NDArray[np.float32]]
"""Maps (n, h, w, 3) cipher-images of one orientation to (n, dim) float32 unit vectors."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectionEvaluation:
    """How well a network ranks a collection under fresh sequences, each picture all the others.

    `draws` has the figures of each set of encryptions and `identical_first` of each but the first
    the share of pictures that find themselves first among all, as they were encrypted the first
    time. `baselines` has the mAP of what has learnt nothing, by name.
    """

    draws: tuple[Evaluation, ...]
    identical_first: tuple[float, ...]
    baselines: Mapping[str, float]


def evaluate_collection(
    embed: Embed, images: PreparedImages, encryptor: Encryptor, *, draws: int = 3
) -> CollectionEvaluation:
    """Return how well a network ranks plain `images` after encrypting them `draws` times.

    Raises:
        DataError: if no class has two images.
    """
    check_pairs(images)
    ciphers = [encrypted(images, encryptor, seed) for seed in range(draws)]
    vectors = [embedded(embed, each) for each in ciphers]
    descriptions = {
        **{name: described(each, images) for name, each in PLAIN.items()},
        **{name: described(each, ciphers[0]) for name, each in CIPHER.items()},
    }
    return CollectionEvaluation(
        draws=tuple(_judged(each, images) for each in vectors),
        identical_first=tuple(identical_first(each, vectors[0]) for each in vectors[1:]),
        baselines={
            name: _judged(each, images).mean_average_precision
            for name, each in descriptions.items()
        },
    )


def encrypted(images: PreparedImages, encryptor: Encryptor, seed: int) -> PreparedImages:
    """Return the cipher-images of plain pictures; what is random in them comes from the seed."""
    generator = np.random.default_rng(seed)
    found = list(images.images)
    for positions, pixels in by_shape(images.images, BATCH):
        for position, cipher in zip(positions, encryptor(pixels, generator), strict=True):
            found[position] = cipher
    return replace(images, images=tuple(found))


def embedded(embed: Embed, ciphers: PreparedImages) -> NDArray[np.float32]:
    """Return the vectors of cipher-images of either orientation, in their order."""
    parts = [(each, embed(pixels)) for each, pixels in by_shape(ciphers.images, BATCH)]
    order = np.argsort(np.concatenate([positions for positions, _ in parts]))
    found: NDArray[np.float32] = np.concatenate([vectors for _, vectors in parts])[order]
    return found


def identical_first(queries: NDArray[np.float32], stored: NDArray[np.float32]) -> float:
    """Return the share of queries whose own row of the stored vectors is nearer than all others.

    Both are unit vectors; query i is the picture of the stored row i, and there may be more rows.
    """
    cosines = queries @ stored.T
    rows = np.arange(len(queries))
    own = cosines[rows, rows].copy()
    cosines[rows, rows] = -np.inf
    return float((own > cosines.max(axis=1)).mean())


def _judged(vectors: NDArray[np.float32], images: PreparedImages) -> Evaluation:
    return evaluate_vectors(vectors, vectors, images.labels, images.labels, exclude_self=True)
