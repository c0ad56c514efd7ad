import numpy as np
import pytest

from cipherlens.server.index import CosineIndex, Device, IvfSettings

CPU = Device("cpu")
CENTRES = 100


def clustered(count, dimension, seed, noise=1.0):
    """Return unit vectors around centres that every seed shares."""
    centres = np.random.default_rng(7).standard_normal((CENTRES, dimension))
    rng = np.random.default_rng(seed)
    rows = centres[rng.integers(0, CENTRES, count)]
    rows = rows + noise * rng.standard_normal((count, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def recall(found, truth):
    hits = [len(set(a) & set(b)) for a, b in zip(found.positions, truth.positions, strict=True)]
    return sum(hits) / truth.positions.size


@pytest.fixture(scope="session")
def cpu():
    return CPU


@pytest.fixture(name="clustered")
def clustered_rows():
    return clustered


@pytest.fixture(name="recall")
def recall_of():
    return recall


@pytest.fixture
def small_index():
    """Return an index of 32 dimensions that trains from 200 rows on."""
    return CosineIndex(32, CPU, IvfSettings(minimum_rows=200, calibration_queries=64))
