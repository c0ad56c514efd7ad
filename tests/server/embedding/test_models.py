"""Which models are in memory, and who waits for one to be loaded."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.embedding import EmbeddingModels, ModelReleased, models
from cipherlens.server.errors import DeadlineExpired, QueueFull, Stopping

A, B = b"a" * 32, b"b" * 32


def embedder(digest):
    """Return what an `Embedder` is to the models."""
    return SimpleNamespace(
        digest=digest.hex(),
        embed=lambda pixels: np.ones((len(pixels), 1), np.float32),
        at_once=4,
        passes=1,
        share_cores=lambda passes: None,
        device="cpu",
        numeric_mode="cpu-fp32",
        configuration=SimpleNamespace(network=SimpleNamespace(backbone="vit")),
    )


class Loading:
    """What loads models; each is held up until `go_on`, and their greatest number is noted."""

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.at_once = self.most_at_once = self.count = 0

    def __call__(self, source, _device):
        self.count += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.begun.release()
        assert self.go_on.wait(20)
        self.at_once -= 1
        return embedder(source)


@pytest.fixture
def loading(monkeypatch):
    loading = Loading()
    monkeypatch.setattr(models, "load_embedder", loading)
    monkeypatch.setattr(models, "tried_embedder", loading)
    return loading


@pytest.fixture
def in_use():
    """The digests of the models that collections need; all that there are, to begin with."""
    return {bytes([each]) * 32 for each in range(256)}


@pytest.fixture
def held(tmp_path, loading, in_use):
    config = ServerConfig(data_dir=tmp_path, device="cpu")
    held = EmbeddingModels(lambda digest: digest, config, in_use.copy)
    yield held
    loading.go_on.set()
    held.close()


@pytest.fixture
def threads():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def test_a_model_that_is_loaded_answers_while_another_is_being_loaded(held, loading, threads):
    held.adopt(embedder(A))
    other = threads.submit(held.queue, B, Call())
    assert loading.begun.acquire(timeout=20)
    rows = held.queue(A, Call.within(20)).embed(
        [np.zeros((2, 3, 3), np.uint8)], Call.within(20), urgent=True
    )
    assert rows.shape == (1, 1)
    assert held.device == "cpu"
    loading.go_on.set()
    assert other.result(20) is held.queue(B, Call())


def test_calls_that_need_the_same_model_load_it_once(held, loading, threads):
    wanted = [threads.submit(held.queue, A, Call()) for _ in range(4)]
    assert loading.begun.acquire(timeout=20)
    loading.go_on.set()
    assert len({id(each.result(20)) for each in wanted}) == 1
    assert loading.count == 1


def test_a_model_that_is_being_loaded_is_waited_for_until_the_deadline(held, loading, threads):
    first = threads.submit(held.queue, A, Call())
    assert loading.begun.acquire(timeout=20)
    with pytest.raises(DeadlineExpired):
        held.queue(A, Call.within(0.05))
    loading.go_on.set()
    first.result(20)


def test_one_model_is_tried_at_a_time_and_few_wait(held, loading, threads):
    def try_one(digest):
        with held.tried(digest, Call()) as tried:
            return held.adopt(tried)

    trials = [threads.submit(try_one, bytes([each]) * 32) for each in range(5)]
    assert loading.begun.acquire(timeout=20)
    with held._trials._changed:
        assert held._trials._changed.wait_for(lambda: held._trials._waiting == 4, 20)
    with pytest.raises(QueueFull, match="4 models wait to be tried"):
        try_one(A)
    loading.go_on.set()
    assert len({id(each.result(20)) for each in trials}) == 5
    assert loading.most_at_once == 1


def test_a_model_that_was_let_go_does_not_come_back(held, loading, in_use):
    """As with a search that holds what it found before another model took over."""
    held.adopt(embedder(A))
    in_use.discard(A)
    held.release()
    with pytest.raises(ModelReleased):
        held.queue(A, Call())
    assert loading.count == 0


def test_a_model_that_is_let_go_while_it_is_loaded_does_not_stay(held, loading, in_use, threads):
    late = threads.submit(held.queue, A, Call())
    assert loading.begun.acquire(timeout=20)
    in_use.discard(A)
    held.release()
    loading.go_on.set()
    with pytest.raises(ModelReleased):
        late.result(20)
    assert not held._loaded


def test_nothing_is_loaded_into_closed_models(held, loading, threads):
    late = threads.submit(held.queue, A, Call())
    assert loading.begun.acquire(timeout=20)
    held.close()
    loading.go_on.set()
    with pytest.raises(Stopping):
        late.result(20)
    with pytest.raises(Stopping):
        held.queue(A, Call())
