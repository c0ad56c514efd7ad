"""Pictures whose secrets are known."""

import numpy as np
import pytest

HEIGHT, WIDTH = 64, 96


@pytest.fixture
def noise():
    """Four pictures of noise: no two blocks are alike."""
    return np.random.default_rng(5).integers(0, 256, (4, HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def smooth():
    """Four pictures without edges: waves of a few periods, each of its own directions."""
    draw = np.random.default_rng(6)
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    found = np.zeros((4, HEIGHT, WIDTH, 3))
    for picture, channel in np.ndindex(4, 3):
        for turns_down, turns_across, phase in draw.uniform(0.3, 1.5, (3, 3)):
            found[picture, :, :, channel] += np.sin(
                2 * np.pi * (turns_down * down + turns_across * across + phase)
            )
    return (127.5 + 42 * found).astype(np.uint8)
