import numpy as np
import pytest

from benchmarks.leakage.trials import position_embeddings
from benchmarks.leakage.trials.position_embeddings import LAID, READ, told_by


def test_embeddings_of_places_tell_neighbours_and_random_ones_do_not():
    places = np.stack(np.divmod(np.arange(64), 8), axis=1)
    centres = np.stack(np.meshgrid(np.arange(-1, 9), np.arange(-1, 9)), axis=2).reshape(-1, 2)
    smooth = np.exp(-np.square(places[:, None] - centres).sum(axis=2) / 2)
    draw = np.random.default_rng(0)
    order = draw.permutation(64)
    told = told_by(smooth[order], order)
    assert told[READ] > 0.95
    assert told_by(smooth, order)[READ] < 0.2  # of another key
    assert told_by(draw.standard_normal((64, 96)), order)[READ] < 0.2
    assert told["chance"] == 224 / 64**2
    assert 0 <= told[LAID] <= 1


def test_a_network_is_trained_under_each_key_and_read(make_pictures, monkeypatch):
    """Noise tells nothing, so that what is read is about chance; the way there is the real one."""
    monkeypatch.setattr(
        position_embeddings, "fashion_mnist", lambda size: make_pictures(32, 32, 60)
    )
    monkeypatch.setattr(position_embeddings, "LEARNT", {"quick": (60, 1)})
    trial = position_embeddings.run({}, "quick")
    assert [each["case"] for each in trial.rounds] == [
        "P=4, M=0, one key",
        "P=4, M=1/4, one key",
        "P=4, M=all, one key",
    ]
    for each in trial.rounds:
        assert each[READ] == pytest.approx(each["chance"], abs=0.12)
