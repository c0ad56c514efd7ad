"""A comparator without a network, learned, judged and kept as every method is."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from benchmarks.harness.sources import sources_digest
from benchmarks.methods.figures import Store, all_figures
from benchmarks.methods.trained_network import TrainedNetwork
from cipherlens.model.config import NetworkConfig, SplitConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages, split_images

SPLIT = SplitConfig(validation=0.25, test=0.25)


@dataclass(frozen=True)
class Tints:
    """Mean colours, less those of the training pictures: what a colour histogram comes down to."""

    whole_numbers: bool = False
    against_rest: bool = False
    name: str = "tints"
    split: SplitConfig = SPLIT
    facts: dict = field(default_factory=dict)

    def settings(self):
        return [self.name, self.whole_numbers, self.against_rest]

    def decided_by(self):
        return {"code": sources_digest(__name__)}

    def fit(self, data, path):
        learned = data.take(split_images(data, self.split).train)
        mean = np.mean([each.mean(axis=(0, 1)) for each in learned.images], axis=0)
        self.facts.update(mean=mean.tolist())
        return self

    def encrypt(self, pixels, generator):
        return generator.permutation(pixels.reshape(len(pixels), -1, 3), axis=1)

    def encode(self, encrypted):
        tints = encrypted.mean(axis=1) - self.facts["mean"]
        return tints.argmax(axis=1)[:, None] if self.whole_numbers else tints.astype(np.float32)

    def distances(self, queries, database):
        apart = np.abs(queries[:, None] - database).sum(axis=2)
        return (apart > 0).astype(np.int64) if self.whole_numbers else apart


@pytest.mark.parametrize("against_rest", [False, True])
def test_a_comparator_is_judged_as_networks_are(
    against_rest: bool, store: Store, make_pictures: Callable[..., PreparedImages]
) -> None:
    config = TrainConfig(
        network=NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4), split=SPLIT, epochs=1
    )
    methods = {
        "near": Tints(against_rest=against_rest),
        "equal": Tints(whole_numbers=True, against_rest=against_rest),
        "network": TrainedNetwork(name="network", config=config),
    }
    figures = all_figures(methods, make_pictures(64, 96), store)
    tests = {name: each["test"] for name, each in figures.items()}
    # A class is a tint: its pictures are nearest, and, as equals, all that is near.
    assert tests["near"]["map"] == tests["equal"]["map"] == pytest.approx(1)
    assert tests["near"]["map"] > tests["network"]["map"] > 0
    assert figures["near"]["mean"] == figures["equal"]["mean"]
    assert tests["near"].keys() == tests["network"].keys()
    assert (tests["near"]["chance"] == tests["network"]["chance"]) == (not against_rest)
    again = all_figures(methods, make_pictures(64, 96), store)
    assert again == figures, "learned again"
