"""Hash networks by the size of their pictures and the length of their codes."""

from dataclasses import replace

from benchmarks.methods.trained_network import TrainedNetwork
from cipherlens.model.config import HashTrainConfig

BITS = (12, 24, 32, 48)
"""DLHEIR's lengths of code."""


def sized(config: HashTrainConfig, side: int) -> HashTrainConfig:
    """Return the settings for pictures of side x side."""
    return replace(config, network=replace(config.network, height=side, width=side))


def network(config: HashTrainConfig, side: int, bits: int) -> TrainedNetwork:
    """Return the network of a size of picture and a length of code."""
    config = sized(config, side)
    config = replace(config, network=replace(config.network, bits=bits))
    return TrainedNetwork(name=f"hash-precision-{side}-{bits}", config=config)
