from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks.cases import Case, key_bound
from benchmarks.training import trained
from benchmarks.untrained import untrained_map
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages


def test_it_is_the_network_that_the_training_starts_from(
    kept: Path, make_pictures: Callable[..., PreparedImages]
) -> None:
    """A training with hardly any step size ends where it started."""
    config = TrainConfig(
        network=NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4),
        split=SplitConfig(validation=0.25, test=0.25),
        epochs=1,
        learning_rate=1e-9,
        precision="fp32",
    )
    data = make_pictures(16, 24)
    training = key_bound(
        "still", config, Case(block_size=8, share=Fraction(1, 2)).parameters(16, 24)
    )
    found = untrained_map(training, data)
    assert found == pytest.approx(trained(training, data).figures["test"]["map"], abs=1e-6)
    other = replace(training, config=replace(config, seed=1))
    assert found != pytest.approx(untrained_map(other, data), abs=1e-6)
