"""Masks of codes and vectors: how many known pairs undo them, and what goes without pairs.

What is counted: pictures that the attacker has no pair of, each of which he encodes himself and
looks for among what is stored.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.progress import told
from benchmarks.leakage.code_masks import BitMask, hamming, solve_bits
from benchmarks.leakage.trials.encoded import BITS, Encoded, encoded
from benchmarks.leakage.trials.trial import REACHED, WITHOUT, Pictures, Rows, Trial, spread
from benchmarks.leakage.unpaired import (
    code_mask_by_distances,
    rotation_by_distances,
    rotation_by_statistics,
)
from benchmarks.leakage.vector_masks import solve_map
from cipherlens.crypto import CodeMask, VectorMask

KEYS = {"quick": 2, "full": 5}
ITEMS = {"quick": 400, "full": 1000}
CODE_PAIRS = (1, 2, 4, 8, 16, 32, 64)
VECTOR_PAIRS = (1, 4, 16, 64, 128, 256)
NONE, ALL, HALF, KIND = (
    "no attack",
    "no pair, but all stored pictures in no order",
    "no pair, but half of the stored pictures",
    "no pair, but other pictures of the kind",
)
CODES, VECTORS = f"codes of {BITS} bits", "vectors of 256 numbers"


def run(pictures: Pictures, profile: str) -> Trial:
    """Return how many strangers' pictures are found, by what the attacker knows."""
    sets = {name: images for name, images in pictures.items() if len(images.class_names) > 1}
    rounds = [
        {"pictures": name, "seed": seed, **figures}
        for name, images in sets.items()
        for rows in [encoded(images)]
        for seed in told(f"masks: {name}", range(KEYS[profile]))
        for figures in _Round(rows, seed, ITEMS[profile]).figures()
    ]
    found = _table(rounds, "found")
    return Trial(
        headline=_headline(found),
        tables={
            "Strangers' pictures found among masked codes and vectors, by known pairs": found,
            "Bits of the code's mask that are right": _table(rounds, "bits"),
        },
        rounds=rounds,
        seeds=f"{KEYS[profile]} keys, each with other known pairs",
    )


class _Round:
    """All attacks on the masks of one key: half of the pictures may be known, half strangers."""

    def __init__(self, rows: Encoded, seed: int, most: int) -> None:
        draw = np.random.default_rng(seed)
        order = draw.permutation(len(rows.bits))[:most]
        key = draw.bytes(32)
        self.vectors, self.bits = rows.vectors[order], rows.bits[order]
        self.half = len(order) // 2
        self.strangers = np.arange(self.half, len(order))
        self.stored = VectorMask(key, self.vectors.shape[1]).masked(self.vectors)
        packed = np.packbits(self.bits, axis=1, bitorder="little")
        masked = CodeMask(key, BITS).masked(packed)
        self.stored_bits = np.unpackbits(masked, axis=1, count=BITS, bitorder="little")
        places = np.packbits(np.eye(BITS, dtype=np.uint8), axis=1, bitorder="little")
        zero = np.zeros((1, places.shape[1]), np.uint8)
        moved = CodeMask(key, BITS).masked(places) ^ CodeMask(key, BITS).masked(zero)
        self.true_order = np.unpackbits(moved, axis=1, count=BITS, bitorder="little").argmax(axis=0)

    def figures(self) -> Iterator[dict[str, Any]]:
        """Yield the figures of every attack."""
        for attacker, mask in self._code_attacks():
            found = self._found(hamming(mask.masked(self.bits), self.stored_bits))
            right = float((mask.order == self.true_order).mean())
            yield {"what": CODES, "attacker": attacker, "found": found, "bits": right}
        for attacker, turn in self._vector_attacks():
            cosines = _unit(self.vectors @ turn) @ self.stored.T
            yield {"what": VECTORS, "attacker": attacker, "found": self._found(-cosines)}

    def _code_attacks(self) -> Iterator[tuple[str, BitMask]]:
        own, stored, half = self.bits, self.stored_bits, self.half
        yield NONE, BitMask(order=np.arange(BITS), flips=np.zeros(BITS, np.uint8))
        for count in (each for each in CODE_PAIRS if each <= half):
            yield f"{count} pairs", solve_bits(own[:count], stored[:count])
        shuffled = np.random.default_rng(0).permutation(len(own))
        yield ALL, code_mask_by_distances(own[shuffled], stored)
        yield HALF, code_mask_by_distances(own[half:], stored)

    def _vector_attacks(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        own, stored, half = self.vectors, self.stored, self.half
        yield NONE, np.eye(own.shape[1])
        for count in (each for each in VECTOR_PAIRS if each <= half):
            yield f"{count} pairs", solve_map(own[:count], stored[:count])
        shuffled = np.random.default_rng(0).permutation(len(own))
        yield ALL, rotation_by_distances(own[shuffled], stored)
        yield HALF, rotation_by_distances(own[half:], stored)
        yield KIND, rotation_by_statistics(own[:half], stored[half:])

    def _found(self, distances: NDArray[np.floating]) -> float:
        """Return the share of strangers at the top; of several there, each counts its part."""
        rows = distances[self.strangers]
        own = rows[np.arange(len(rows)), self.strangers]
        nearer = (rows < own[:, None] - 1e-6).any(axis=1)
        ties = (np.abs(rows - own[:, None]) <= 1e-6).sum(axis=1)
        return float(np.where(nearer, 0, 1 / ties).mean())


def _unit(rows: NDArray[np.floating]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), dtype=np.float64)


def _table(rounds: list[dict[str, Any]], figure: str) -> Rows:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in (each for each in rounds if figure in each):
        values[f"{each['pictures']}: {each['attacker']}"][each["what"]].append(each[figure])
    return {
        row: {column: spread(found) for column, found in columns.items()}
        for row, columns in values.items()
    }


def _headline(found: Rows) -> Rows:
    rows: Rows = {}
    for row, columns in found.items():
        name, _, attacker = row.partition(": ")
        for what, reached in columns.items():
            if (what, attacker) in {(CODES, "16 pairs"), (VECTORS, "64 pairs")} or attacker == ALL:
                without = found[f"{name}: {NONE}"][what]
                said = f"strangers found among masked {what}: {name}, {attacker}"
                rows[said] = {REACHED: reached, WITHOUT: without}
    return rows
