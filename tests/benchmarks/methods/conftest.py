"""Pictures as schemes see them, and what is drawn for them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.harness.places import SAMPLES


@pytest.fixture(scope="session")
def pixels() -> NDArray[np.uint8]:
    """Return six of the demo's pictures, (6, 64, 96, 3) uint8."""
    paths = sorted(SAMPLES.rglob("*.png"))[::40][:6]
    held = [Image.open(path).convert("RGB").resize((96, 64)) for path in paths]
    return np.stack([np.asarray(each) for each in held])


@pytest.fixture
def generator() -> np.random.Generator:
    """Return what nonces are drawn from."""
    return np.random.default_rng(0)
