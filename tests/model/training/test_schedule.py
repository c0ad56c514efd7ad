import pytest

from cipherlens.model.config import TrainConfig
from cipherlens.model.training.schedule import learning_rate


def test_the_rate_rises_and_falls() -> None:
    config = TrainConfig(epochs=10, warmup_epochs=2, learning_rate=1.0, schedule="cosine")
    rates = [learning_rate(config, epoch) for epoch in (0, 1, 2, 6, 10)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, 0], abs=1e-9)


def test_the_papers_rate_is_constant() -> None:
    config = TrainConfig(learning_rate=1.0)
    assert {learning_rate(config, epoch) for epoch in range(60)} == {1.0}
