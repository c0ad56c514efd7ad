"""What a table compares: a method learns from pictures, then encrypts, encodes and ranks others.

A network is one method among others. Adding one is adding a file with a class like `Method`, or
like `comparator.Scheme` where a paper leaves settings to be guessed; `fit` returns what it has
learned, and `judged` asks that of every method alike.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cipherlens.model.config import SplitConfig
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages, by_shape, split_images
from cipherlens.model.evaluation.evaluate_distances import Distances, evaluate_distances
from cipherlens.model.evaluation.figures import Evaluation
from cipherlens.model.evaluation.retrieval_task import RetrievalTask, part_task, rest_task

Encrypted: TypeAlias = NDArray[Any]
"""What a server gets of n pictures, (n, ...): cipher-images, or what else the method sends."""

Features: TypeAlias = NDArray[Any]
"""What a server compares, (n, ...) of any one type."""

BATCH = 64
RANKS = (1, 5, 10, 20, 40, 60, 80, 100)


class Ranker(Protocol):
    """What encrypts, encodes and compares pictures."""

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Encrypted:
        """Return what the server gets of plain (n, h, w, 3) uint8 pictures of one orientation.

        What is random, nonces among it, comes from the generator.
        """

    def encode(self, encrypted: Encrypted) -> Features:
        """Return the features of what `encrypt` made."""

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return (queries, database): smaller is nearer.

        float32 distances rank as they are. int64 ones are whole numbers of which many are equal:
        figures are then means over the orders of equal ones.
        """


class Fitted(Ranker, Protocol):
    """A method that has learned what it will."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the kept figures say of the learning: JSON-able settings, minutes, log."""


class Method(Protocol):
    """A row of a table, before it has learned."""

    @property
    def name(self) -> str:
        """What its kept files are called."""

    @property
    def split(self) -> SplitConfig:
        """Which pictures it may learn from, and which it is judged on."""

    @property
    def against_rest(self) -> bool:
        """Whether the test part searches all other pictures (DLHEIR), not itself (E2E)."""

    def settings(self) -> list[Any]:
        """Return its settings, JSON-able: its kept file is named by them and the pictures."""

    def decided_by(self) -> dict[str, Any]:
        """Return what else decides its figures, JSON-able, the digest of its code among it.

        Kept figures of which anything of this was different are not found again.
        """

    def fit(self, data: PreparedImages, path: Path) -> Fitted:
        """Learn from the training and the validation part, never from the test part.

        What takes long may be kept at `path`, or beside it, to go on after an interruption.
        """


def judged(fitted: Fitted, method: Method, data: PreparedImages) -> Evaluation:
    """Return how well a method finds the pictures of the test part."""
    positions = split_images(data, method.split)
    if method.against_rest:
        task = rest_task(data, positions)
    else:
        task = part_task(data.take(positions.test))
    return ranked(fitted, task)


def ranked(ranker: Ranker, task: RetrievalTask) -> Evaluation:
    """Return how well a task's pictures are found."""
    queries = features(ranker, task.queries)
    database = queries if task.exclude_self else features(ranker, task.database)
    return evaluate_distances(
        lambda asked: ranker.distances(queries[asked], database),
        task.queries.labels,
        task.database.labels,
        exclude_self=task.exclude_self,
        ranks=RANKS,
    )


def features(ranker: Ranker, images: PreparedImages) -> Features:
    """Return the features of plain pictures, encrypted before, in the order of the pictures."""
    generator = np.random.default_rng(0)
    parts = [
        (positions, ranker.encode(ranker.encrypt(pixels, generator)))
        for positions, pixels in by_shape(images.images, BATCH)
    ]
    order = np.argsort(np.concatenate([positions for positions, _ in parts]))
    found: Features = np.concatenate([encoded for _, encoded in parts])[order]
    return found
