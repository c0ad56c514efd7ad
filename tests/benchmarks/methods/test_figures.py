import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.methods import figures, trained_network
from benchmarks.methods.figures import Store, all_figures, figures_of, own_gpu
from benchmarks.methods.keys import MeasuredKeyEncryptor
from benchmarks.methods.trained_network import TrainedNetwork, key_bound
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.data.images import PreparedImages

ENDLESS = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from benchmarks.methods.figures import prepare_worker

context = get_context("spawn")
numbers = context.SimpleQueue()
numbers.put(0)
pool = ProcessPoolExecutor(
    1, mp_context=context, initializer=prepare_worker, initargs=(numbers,)
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


SIZE = CipherParameters(height=16, width=24, substituted_blocks=2, scope=Scope.IMAGE)
ANY_KEY = TrainedNetwork(
    name="any",
    config=TINY,
    encryptor=AnyKeyEncryptor(SIZE),
    judge=MeasuredKeyEncryptor(SIZE, 1),
    profile=AnyKeyEncryptor(SIZE).profile,
)


def judged_under_another_key(_: pytest.MonkeyPatch) -> TrainedNetwork:
    return replace(ANY_KEY, judge=MeasuredKeyEncryptor(SIZE, 2))


def trained_under_one_key(_: pytest.MonkeyPatch) -> TrainedNetwork:
    return replace(ANY_KEY, encryptor=MeasuredKeyEncryptor(SIZE, 1))


def on_a_machine_of_another_arithmetic(patch: pytest.MonkeyPatch) -> TrainedNetwork:
    patch.setattr(trained_network, "resolve_precision", lambda *_: "bf16")
    return ANY_KEY


def after_a_change_of_the_code(patch: pytest.MonkeyPatch) -> TrainedNetwork:
    patch.setattr(trained_network, "sources_digest", lambda *_: "new")
    return ANY_KEY


@pytest.mark.parametrize(
    "changed",
    [
        judged_under_another_key,
        trained_under_one_key,
        on_a_machine_of_another_arithmetic,
        after_a_change_of_the_code,
    ],
)
def test_what_is_kept_is_of_what_is_asked_for(
    changed: Callable[[pytest.MonkeyPatch], TrainedNetwork],
    store: Store,
    make_pictures: Callable[..., PreparedImages],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = make_pictures(16, 24)
    kept = figures_of(ANY_KEY, data, store)
    assert store.found(ANY_KEY, data) == kept
    other = changed(monkeypatch)
    assert store.kept(other, data) == store.kept(ANY_KEY, data)
    assert store.found(other, data) is None
    assert figures_of(other, data, store)["decided_by"] != kept["decided_by"]
    assert len(list(store.networks.glob("*.safetensors"))) == 2, "went on from the other's weights"


def test_a_training_that_has_ended_is_judged_and_not_trained_again(
    store: Store, make_pictures: Callable[..., PreparedImages], monkeypatch: pytest.MonkeyPatch
) -> None:
    data, one = make_pictures(16, 24), seeded(range(1))[0]

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(figures, "judged", interrupted)
        with pytest.raises(KeyboardInterrupt):
            figures_of(one, data, store)
    assert store.found(one, data) is None
    monkeypatch.setattr(trained_network, "train", interrupted)
    found = figures_of(one, data, store)
    assert (len(found["log"]), found["best_epoch"]) == (1, 1)
    store.kept(one, data).unlink()
    store.network(one, data).unlink()
    with pytest.raises(KeyboardInterrupt):
        figures_of(one, data, store)


def test_figures_of_before_it_was_kept_what_decides_them_are_not_found(
    store: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    data, one = make_pictures(16, 24), seeded(range(1))[0]
    figures = figures_of(one, data, store)
    del figures["decided_by"]
    store.kept(one, data).write_text(json.dumps(figures))
    assert store.found(one, data) is None


@pytest.mark.parametrize(
    ("number", "visible", "gpu"), [(0, None, "0"), (5, None, "1"), (1, "4,6", "6"), (2, "4,6", "4")]
)
def test_workers_are_parted_over_the_gpus(number: int, visible: str | None, gpu: str) -> None:
    gpus = 4 if visible is None else 2
    assert own_gpu(number, gpus, visible) == gpu


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
