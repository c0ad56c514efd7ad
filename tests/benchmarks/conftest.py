"""Pictures and a place for checkpoints that a benchmark of a second needs."""

from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from benchmarks.methods.figures import Store
from cipherlens.model.data.images import PreparedImages

CLASSES = 3


class MakePictures(Protocol):
    """Makes pictures of three classes."""

    def __call__(self, height: int, width: int, count: int = 36) -> PreparedImages:
        """Return count pictures of height x width."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return where checkpoints and figures are kept, for this test alone."""
    return Store(networks=tmp_path / "trained", figures=tmp_path / "figures", at_once=1)


@pytest.fixture(scope="session")
def make_pictures() -> MakePictures:
    """Return what makes pictures of a size: noise, in each of three classes tinted its own way."""

    def make(height: int, width: int, count: int = 36) -> PreparedImages:
        draw = np.random.default_rng(0)
        labels = np.arange(count) % CLASSES
        pixels = draw.integers(0, 250, (count, height, width, 3), dtype=np.uint8)
        pixels[np.arange(count), :, :, labels] += 6
        return PreparedImages(
            images=tuple(pixels),
            labels=labels.astype(np.int64),
            names=tuple(f"{number}.png" for number in range(count)),
            class_names=("red", "green", "blue"),
            height=height,
            width=width,
        )

    return make
