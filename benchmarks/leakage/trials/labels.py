"""Labels of pictures, told from the codes and vectors that a server stores of them."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.progress import told
from benchmarks.leakage.labels import by_linear_probe, by_neighbours, few_of_each
from benchmarks.leakage.trials.encoded import BITS, encoded, shipped_vectors
from benchmarks.leakage.trials.trial import REACHED, WITHOUT, Pictures, Rows, Trial, spread
from cipherlens.crypto import CodeMask, VectorMask
from cipherlens.model.data.images import PreparedImages

KEYS = {"quick": 1, "full": 3}
ITEMS = {"quick": 300, "full": 1000}
LABELLED = (3, 10)
VECTORS, CODES, SHIPPED = "vectors", f"codes of {BITS} bits", "the server's vectors"
JUDGES = {"neighbours": by_neighbours, "linear probe": by_linear_probe}
OWN, FREQUENT = "pictures of his own", "the most frequent label"

Values = NDArray[np.float64]


def run(pictures: Pictures, profile: str) -> Trial:
    """Return the share of right labels by what is stored, by the judge, and by what is known."""
    sets = {name: images for name, images in pictures.items() if len(images.class_names) > 1}
    rounds = [
        {"pictures": name, "seed": seed, **figures}
        for name, images in sets.items()
        for seed in told(f"labels: {name}", range(KEYS[profile]))
        for figures in _round(images, seed, ITEMS[profile])
    ]
    table = _table(rounds)
    return Trial(
        headline={
            f"labels right: {row}, {known}": {
                REACHED: columns[f"{known}, linear probe"],
                WITHOUT: columns[FREQUENT],
            }
            for row, columns in table.items()
            for known in (_name(max(LABELLED)), OWN)
        },
        tables={"Labels told from what is stored, share right": table},
        rounds=rounds,
        seeds=f"{KEYS[profile]} draws of keys and labelled pictures",
    )


def _round(images: PreparedImages, seed: int, most: int) -> Iterator[dict[str, Any]]:
    draw = np.random.default_rng(seed)
    order = draw.permutation(len(images))[:most]
    labels = images.labels[order]
    key = draw.bytes(32)
    own = np.arange(len(order)) < len(order) // 2
    for what, plain, stored in _stored(images, order, key, seed):
        figures = {"what": what, "frequent": float(np.bincount(labels).max() / len(labels))}
        for count in LABELLED:
            known = few_of_each(labels, count, np.random.default_rng(seed))
            yield {**figures, "known": _name(count), **_judged(stored, stored, known, labels)}
        yield {**figures, "known": OWN, **_judged(plain, stored, own, labels)}


def _stored(
    images: PreparedImages, order: NDArray[np.intp], key: bytes, seed: int
) -> Iterator[tuple[str, Values, Values]]:
    """Yield what is stored: as the attacker makes it with the encoder, and as it lies there."""
    made = encoded(images)
    vectors, bits = made.vectors[order].astype(np.float64), made.bits[order]
    turned = VectorMask(key, vectors.shape[1]).masked(vectors).astype(np.float64)
    packed = CodeMask(key, BITS).masked(np.packbits(bits, axis=1, bitorder="little"))
    masked = np.unpackbits(packed, axis=1, count=BITS, bitorder="little").astype(np.float64)
    yield f"{VECTORS}, not masked", vectors, vectors
    yield f"{VECTORS}, masked", vectors, turned
    yield f"{CODES}, not masked", bits.astype(np.float64), bits.astype(np.float64)
    yield f"{CODES}, masked", bits.astype(np.float64), masked
    shown = images.take(order)
    shipped = shipped_vectors(shown, 24, seed).astype(np.float64)
    again = shipped_vectors(shown, 24, seed + 1000).astype(np.float64)
    yield f"{SHIPPED} of cipher-images, M=1/4, fresh keys", again, shipped


def _judged(
    own: Values, stored: Values, known: NDArray[np.bool_], labels: NDArray[np.int64]
) -> dict[str, float]:
    """Return the share of right labels of what is not known, by each judge."""
    return {
        name: float((judge(own[known], labels[known], stored[~known]) == labels[~known]).mean())
        for name, judge in JUDGES.items()
    }


def _name(count: int) -> str:
    return f"{count} of each class"


def _table(rounds: list[dict[str, Any]]) -> Rows:
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for each in rounds:
        row = values[f"{each['pictures']}: {each['what']}"]
        for judge in JUDGES:
            row[f"{each['known']}, {judge}"].append(each[judge])
        row[FREQUENT].append(each["frequent"])
    return {
        row: {column: spread(found) for column, found in columns.items()}
        for row, columns in values.items()
    }
