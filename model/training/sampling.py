"""The batches of an epoch: balanced over classes, or simply shuffled."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def balanced_batches(
    labels: NDArray[np.int64], classes: int, images: int, generator: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Yield one epoch of batches: indices of `images` images of each of `classes` classes.

    The classes of a batch are drawn at random, all of them where there are fewer. A class gives
    each of its images once before it gives one again. An epoch has as many images as `labels`,
    rounded up to whole batches.
    """
    present = np.unique(labels)
    streams = {label: _stream(np.flatnonzero(labels == label), generator) for label in present}
    count = min(classes, len(present))
    for _ in range(math.ceil(len(labels) / (count * images))):
        chosen = generator.choice(present, size=count, replace=False)
        picks = [next(streams[label]) for label in chosen for _ in range(images)]
        yield np.array(picks, dtype=np.intp)


def shuffled_batches(
    count: int, size: int, generator: np.random.Generator
) -> Iterator[NDArray[np.intp]]:
    """Yield one epoch of batches: each of `count` indices once, at most `size` in a batch.

    The batches differ by at most one in length, so that none is a small rest.
    """
    yield from np.array_split(generator.permutation(count), math.ceil(count / size))


def _stream(members: NDArray[np.intp], generator: np.random.Generator) -> Iterator[np.intp]:
    """Yield the members in random order, over and over in a fresh order."""
    while True:
        yield from generator.permutation(members)
