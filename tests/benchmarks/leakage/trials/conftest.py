"""A set of pictures on which a trial takes a second."""

import numpy as np
import pytest

from cipherlens.model.data.images import PreparedImages


@pytest.fixture
def few():
    """Twelve pictures of noise in two classes, dark and bright."""
    draw = np.random.default_rng(8)
    labels = np.arange(12) % 2
    pixels = draw.integers(0, 128, (12, 64, 96, 3), dtype=np.uint8)
    pixels += (128 * labels).astype(np.uint8)[:, None, None, None]
    return PreparedImages(
        images=tuple(pixels),
        labels=labels.astype(np.int64),
        names=tuple(f"{number}.png" for number in range(12)),
        class_names=("dark", "bright"),
        height=64,
        width=96,
    )
