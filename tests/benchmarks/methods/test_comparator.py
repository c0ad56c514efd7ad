from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks.methods import comparator
from benchmarks.methods.comparator import Comparator, size_bytes
from benchmarks.methods.figures import Store, figures_of
from benchmarks.methods.method import Features
from benchmarks.methods.zhang import Zhang
from cipherlens.model.config import SplitConfig
from cipherlens.model.data.images import PreparedImages

SPLIT = SplitConfig(validation=0.25, test=0.25)


@dataclass(frozen=True)
class Channel:
    """Compares the means of one channel."""

    channel: int

    def fit(self, training, draws):
        return self

    def encrypt(self, pixels, generator):
        return pixels

    def encode(self, encrypted) -> Features:
        return (
            encrypted[..., self.channel]
            .mean(axis=(1, 2), dtype=np.float64)[:, None]
            .astype(np.float32)
        )

    def distances(self, queries, database):
        return np.abs(queries - database.T)


def test_the_candidate_that_is_best_on_validation_is_judged(
    store: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    data = make_pictures(64, 96)
    candidates = (Channel(0), Channel(1))
    chosen = Comparator(scheme="channel", candidates=candidates, seed=0, split=SPLIT)
    figures = figures_of(chosen, data, store)
    scores = figures["candidates"]
    assert figures["chosen"] == max(scores, key=scores.get)
    assert figures["validation_map"] == max(scores.values())
    alone = Comparator(
        scheme="alone",
        candidates=tuple(each for each in candidates if repr(each) == figures["chosen"]),
        seed=0,
        split=SPLIT,
    )
    assert figures_of(alone, data, store)["test"]["map"] == figures["test"]["map"]
    assert figures["cipher_bytes"] == 64 * 96 * 3
    assert figures["feature_bytes"] == 4


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"candidates": (Zhang(limit=9),)}, {"against_rest": True}],
)
def test_what_decides_the_figures_names_their_file(
    change, store: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    settings = {"scheme": "zhang", "candidates": (Zhang(limit=8),), "seed": 0, "split": SPLIT}
    data = make_pictures(8, 8)
    one, other = Comparator(**settings), Comparator(**settings | change)
    assert store.kept(one, data) == store.kept(Comparator(**settings), data)
    assert store.kept(one, data) != store.kept(other, data)


def test_the_code_of_a_candidate_decides_its_figures(monkeypatch) -> None:
    one = Comparator(scheme="zhang", candidates=(Zhang(limit=8),), seed=0, split=SPLIT)
    asked: list[str] = []
    monkeypatch.setattr(comparator, "sources_digest", lambda *names: asked.extend(names))
    one.decided_by()
    assert set(asked) == {"benchmarks.methods.comparator", "benchmarks.methods.zhang"}


def test_files_count_as_long_as_they_are() -> None:
    files = np.empty(2, object)
    files[:] = [b"one", b"three"]
    assert size_bytes(files) == 4
