import numpy as np
import pytest

from cipherlens.base import IndexChoice, Kind
from cipherlens.server.index import Device, IvfSettings, new_index, obstacle

SETTINGS = IvfSettings(minimum_rows=200, minimum_codes=400, calibration_queries=64)
CPU, GPU = Device("cpu"), Device("cuda", 1)


def rows_of(index, count, clustered):
    if index.row_type == np.uint8:
        return np.random.default_rng(1).integers(0, 2, (count, 8), np.uint8)
    return clustered(count, 64, seed=1)


@pytest.mark.parametrize(
    ("kind", "choice", "before", "after"),
    [
        (Kind.VECTOR, IndexChoice.AUTO, 199, "cosine-ivf"),
        (Kind.CIPHER, IndexChoice.IVF, 199, "cosine-ivf"),
        (Kind.VECTOR, IndexChoice.HNSW, 199, "cosine-hnsw"),
        (Kind.VECTOR, IndexChoice.FLAT, 900, "cosine-flat"),
        (Kind.CODE, IndexChoice.AUTO, 399, "hamming-ivf"),
        (Kind.CODE, IndexChoice.IVF, 199, "hamming-ivf"),
        (Kind.CODE, IndexChoice.FLAT, 900, "hamming-flat"),
    ],
)
def test_what_each_choice_becomes_and_when(clustered, kind, choice, before, after):
    index = new_index(kind, 64, CPU, SETTINGS, choice)
    index.append(rows_of(index, before, clustered))
    assert not index.wants_training
    index.append(rows_of(index, 1, clustered))
    assert index.wants_training == (choice is not IndexChoice.FLAT)
    index.train(1)
    assert index.describe().kind == after


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("choice", IndexChoice)
def test_what_cannot_be_had_is_told(kind, choice):
    graph = choice is IndexChoice.HNSW
    assert (obstacle(kind, choice, CPU) is not None) == (graph and kind is Kind.CODE)
    told = obstacle(kind, choice, GPU)
    assert (told is not None) == graph
    assert told is None or ("no graph" if kind is Kind.CODE else "cuda:1") in told


def test_codes_are_on_the_cpu_whatever_the_device():
    assert new_index(Kind.CODE, 64, GPU, SETTINGS, IndexChoice.AUTO).describe().device == "cpu"
