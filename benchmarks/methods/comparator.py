"""A scheme of the literature as a row of a table: its guessed settings are chosen on validation."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.harness.sources import sources_digest
from benchmarks.methods.draws import Draws
from benchmarks.methods.method import Encrypted, Features, Ranker, ranked
from cipherlens.model.config import SplitConfig
from cipherlens.model.data.encryption import Pixels
from cipherlens.model.data.images import PreparedImages, by_shape, split_images
from cipherlens.model.evaluation.evaluate_distances import Distances
from cipherlens.model.evaluation.retrieval_task import part_task

TIMED = 64
"""Pictures of which times and sizes are taken, at most."""


class Scheme(Protocol):
    """What a paper describes, with all settings: its representation says them all."""

    def fit(self, training: PreparedImages, draws: Draws) -> Ranker:
        """Return the scheme with a key, having learned from the training pictures what it does.

        What its server learns from is what `encrypt` makes of them.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedComparator:
    """The scheme that was chosen, and what is said of the choice."""

    ranker: Ranker
    facts: dict[str, Any]

    def encrypt(self, pixels: Pixels, generator: np.random.Generator) -> Encrypted:
        """Return what the scheme's server gets."""
        return self.ranker.encrypt(pixels, generator)

    def encode(self, encrypted: Encrypted) -> Features:
        """Return what the scheme's server compares."""
        return self.ranker.encode(encrypted)

    def distances(self, queries: Features, database: Features) -> Distances:
        """Return the scheme's distances."""
        return self.ranker.distances(queries, database)


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparator:
    """A scheme under the key of a seed.

    Of `candidates`, which differ in what their paper leaves open, the one with the best mAP on the
    validation part is judged.
    """

    scheme: str
    candidates: tuple[Scheme, ...]
    seed: int
    split: SplitConfig
    against_rest: bool = False

    @property
    def name(self) -> str:
        """The scheme and the seed."""
        return f"{self.scheme}-{self.seed}"

    def settings(self) -> list[Any]:
        """Return the settings of the candidates, the seed and how it is judged."""
        return [
            [repr(each) for each in self.candidates],
            self.seed,
            repr(self.split),
            self.against_rest,
        ]

    def decided_by(self) -> dict[str, Any]:
        """Return its code: that of the candidates, and of how they are compared."""
        modules = {type(each).__module__ for each in self.candidates}
        return {"code": sources_digest(__name__, *modules)}

    def fit(self, data: PreparedImages, path: Path) -> FittedComparator:  # noqa: ARG002
        """Fit every candidate and return the best; nothing is kept at `path`."""
        positions = split_images(data, self.split)
        training, validation = data.take(positions.train), data.take(positions.validation)
        started = time.process_time()
        fitted = [each.fit(training, Draws(self.seed)) for each in self.candidates]
        scores = [ranked(each, part_task(validation)).mean_average_precision for each in fitted]
        best = int(np.argmax(scores))
        facts = {
            "seed": self.seed,
            "validation_map": scores[best],
            "chosen": repr(self.candidates[best]),
            "candidates": {
                repr(each): score for each, score in zip(self.candidates, scores, strict=True)
            },
            "cpu_minutes": round((time.process_time() - started) / 60, 2),
            "data_digest": data.digest(),
            **costs(fitted[best], training),
        }
        return FittedComparator(ranker=fitted[best], facts=facts)


def costs(ranker: Ranker, pictures: PreparedImages) -> dict[str, float]:
    """Return milliseconds and bytes of one picture, means over up to 64 of one orientation."""
    _, pixels = next(by_shape(pictures.images, TIMED))
    generator = np.random.default_rng(0)
    started = time.perf_counter()
    encrypted = ranker.encrypt(pixels, generator)
    sent = time.perf_counter()
    encoded = ranker.encode(encrypted)
    ended = time.perf_counter()
    return {
        "encrypt_ms": round((sent - started) * 1000 / len(pixels), 3),
        "encode_ms": round((ended - sent) * 1000 / len(pixels), 3),
        "cipher_bytes": round(size_bytes(encrypted), 1),
        "feature_bytes": round(size_bytes(encoded), 1),
    }


def size_bytes(held: Encrypted) -> float:
    """Return the mean size of one picture's bytes: whole files, or numbers as they lie."""
    if held.dtype == np.object_:
        return float(np.mean([len(each) for each in held]))
    return held.nbytes / len(held)
