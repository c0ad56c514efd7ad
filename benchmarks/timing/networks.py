"""The networks whose features are timed: those of Fashion-MNIST, and the paper's own untrained."""

from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.harness.pictures import fashion_mnist
from benchmarks.harness.progress import say
from benchmarks.methods.fashion_mnist import SIZE, e2e_networks, hash_networks
from benchmarks.methods.figures import test_map
from benchmarks.methods.trained_network import Trained, trained
from cipherlens.model.checkpoint import CheckpointConfiguration, save
from cipherlens.model.config import HashNetworkConfig
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.networks.hash_network import HashNetwork

BITS = 48
E2E = "fashion-mnist-one-key-1-of-4"


def trained_hash_network(profile: str, bits: int = BITS) -> Trained:
    """Return the hash network of a length, from an earlier run where there was one."""
    network = hash_networks(profile)[bits]
    return trained(network, prepared(network.config.network.height))


def trained_end_to_end(profile: str) -> Trained:
    """Return the end-to-end network of one key, from an earlier run where there was one."""
    return trained(e2e_networks(profile)[E2E], prepared(SIZE))


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
    return fashion_mnist(size)
