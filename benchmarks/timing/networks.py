"""The networks whose features are timed: of Fashion-MNIST, of Corel10K, and untrained ones."""

from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.harness import pictures
from benchmarks.harness.progress import say
from benchmarks.methods import corel10k, fashion_mnist, hash_networks, loss_settings
from benchmarks.methods.cases import CASES
from benchmarks.methods.checkpoints import Trained, trained
from benchmarks.methods.figures import test_map
from benchmarks.methods.trained_network import TrainedNetwork
from cipherlens.crypto import PreparedSize
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.config import HashNetworkConfig
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.networks.hash_network import HashNetwork

BITS = 48
SIDE = corel10k.SIDES[0]
CASE = CASES[-1]
E2E = "fashion-mnist-one-key-1-of-4"
LEARNED = "quick"
"""The profile whose networks of Fashion-MNIST are timed: after an epoch codes and vectors lie in
their classes, and no time depends on how well."""


def trained_hash_network(profile: str, bits: int = BITS) -> Trained:
    """Return the hash network of a length, from an earlier run where there was one."""
    if profile in corel10k.STORES:
        config = corel10k.starting(corel10k.hashing(profile), corel10k.start())
        of_length = hash_networks.network(config, SIDE, bits)
        return _at_papers_scale(profile, of_length, of_length.config.network)
    network = fashion_mnist.hash_networks(LEARNED)[bits]
    return trained(network, prepared(network.config.network.height))


def trained_end_to_end(profile: str) -> Trained:
    """Return the end-to-end network of one key, from an earlier run where there was one."""
    if profile in corel10k.STORES:
        config = corel10k.starting(corel10k.e2e(profile), corel10k.start())
        cell = loss_settings.network(corel10k.SIZE, config, CASE, loss_settings.SETTINGS[-1])
        return _at_papers_scale(profile, cell, corel10k.SIZE)
    return trained(fashion_mnist.e2e_networks(LEARNED)[E2E], prepared(fashion_mnist.SIZE))


def _at_papers_scale(profile: str, network: TrainedNetwork, size: PreparedSize) -> Trained:
    return trained(network, corel10k.pictures(size, profile), corel10k.STORES[profile])


def facts(network: Trained) -> dict[str, Any]:
    """Return which network it is and how well it retrieves."""
    return {
        "checkpoint": network.checkpoint.stem,
        "test_map": round(test_map(network.figures), 4),
        "epochs": len(network.figures["log"]),
    }


def random_dlheir(folder: Path, pixels: int) -> Path:
    """Write a checkpoint of the paper's network with random weights and return it."""
    say(f"making DLHEIR's network for {pixels}x{pixels}")
    config = HashNetworkConfig(bits=BITS, height=pixels, width=pixels)
    path = folder / f"dlheir-{pixels}.safetensors"
    configuration = CheckpointConfiguration(network=config, profile=None, architecture="hash")
    save(path, HashNetwork(config).eval(), configuration)
    return path


@cache
def prepared(size: int) -> PreparedImages:
    """Return Fashion-MNIST as size x size pictures."""
    say(f"preparing Fashion-MNIST at {size}x{size}")
    return pictures.fashion_mnist(size, every=fashion_mnist.EVERY[LEARNED])
