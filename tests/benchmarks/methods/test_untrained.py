from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import pytest

from benchmarks.methods.cases import Case
from benchmarks.methods.checkpoints import trained
from benchmarks.methods.figures import Store, figures_of
from benchmarks.methods.trained_network import key_bound
from benchmarks.methods.untrained import untrained
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages


def test_it_is_the_network_that_the_training_starts_from(
    store: Store, make_pictures: Callable[..., PreparedImages]
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
    found = figures_of(untrained(training), data, store)["test"]["map"]
    assert found == pytest.approx(trained(training, data, store).figures["test"]["map"], abs=1e-6)
    other = replace(training, config=replace(config, seed=1))
    others = figures_of(untrained(other), data, store)["test"]["map"]
    assert found != pytest.approx(others, abs=1e-6)
