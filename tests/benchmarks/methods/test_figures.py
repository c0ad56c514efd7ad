import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.methods.figures import Store, all_figures, figures_of
from benchmarks.methods.trained_network import TrainedNetwork, key_bound
from cipherlens.crypto import CipherParameters
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages

ENDLESS = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from benchmarks.methods.figures import prepare_worker

pool = ProcessPoolExecutor(
    1, mp_context=get_context("spawn"), initializer=prepare_worker
)
print(pool.submit(os.getpid).result(), flush=True)
pool.submit(time.sleep, 600).result()
"""

TINY = TrainConfig(
    network=NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4),
    split=SplitConfig(validation=0.25, test=0.25),
    epochs=1,
    precision="fp32",
)


@pytest.fixture
def two(store: Store) -> Store:
    return replace(store, at_once=2)


def seeded(seeds: range) -> dict[int, TrainedNetwork]:
    return {
        seed: TrainedNetwork(name=f"seed-{seed}", config=replace(TINY, seed=seed)) for seed in seeds
    }


def test_several_at_once_find_what_one_finds(
    two: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    data, trainings = make_pictures(16, 24), seeded(range(3))
    figures = all_figures(trainings, data, two)
    assert list(figures) == [0, 1, 2]
    assert len(list(two.networks.glob("*.safetensors"))) == 3
    for path in two.figures.glob("seed-1-*.json"):
        assert json.loads(path.read_text()) == figures[1]
        path.unlink()
    alone = figures_of(trainings[1], data, two)
    assert alone["test"]["map"] == pytest.approx(figures[1]["test"]["map"], abs=1e-6)
    # None is trained twice: the others' files have not been touched.
    assert all_figures(trainings, data, two) == {**figures, 1: alone}


def test_cipher_images_are_trained_on_at_once(
    two: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    parameters = CipherParameters(height=16, width=24, substituted_blocks=2)
    trainings = {
        seed: key_bound(f"cipher-{seed}", replace(TINY, seed=seed), parameters) for seed in range(2)
    }
    figures = all_figures(trainings, make_pictures(16, 24), two)
    for seed, each in figures.items():
        assert each["profile"] == trainings[seed].profile.to_dict()


def test_one_that_fails_says_why(two: Store, make_pictures: Callable[..., PreparedImages]) -> None:
    wide = replace(TINY, network=replace(TINY.network, patch_size=16))
    trainings = {**seeded(range(1)), 1: TrainedNetwork(name="blocks of no such size", config=wide)}
    with pytest.raises(ValueError, match="patch_size"):
        all_figures(trainings, make_pictures(24, 24), two)


@pytest.mark.slow
def test_no_worker_outlives_a_benchmark_that_is_killed() -> None:
    command = [sys.executable, "-c", ENDLESS]
    root = Path(__file__).parents[3]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root) as benchmark:
        assert benchmark.stdout is not None
        assert int(benchmark.stdout.readline()) > 0
        benchmark.kill()
        # Its end is read once every process that writes to it is gone, the worker among them.
        assert benchmark.communicate(timeout=60)[0] == b""
