"""The networks that learn Fashion-MNIST: those of both its tables and of the timings."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from benchmarks.harness.places import CONFIGS
from benchmarks.methods.figures import Figures, test_map
from benchmarks.methods.keys import MeasuredKeyEncryptor
from benchmarks.methods.trained_network import TrainedNetwork, key_bound
from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import HashTrainConfig, TrainConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor

BITS = (12, 24, 32, 48)
SIZE = 32
"""The sides of the pictures that end-to-end networks see; hash networks have larger ones."""

EVERY = {"quick": 5, "full": 1}
"""Of so many training pictures the networks of a profile learn from one."""

PLAIN = "fashion-mnist-plain"

_Config = TypeVar("_Config", TrainConfig, HashTrainConfig)


def e2e_networks(profile: str) -> dict[str, TrainedNetwork]:
    """Return the end-to-end networks by their names."""
    bound = _shortened(TrainConfig.from_toml(CONFIGS / "fashion-mnist-e2e.toml"), profile)
    free = _shortened(TrainConfig.from_toml(CONFIGS / "fashion-mnist-any-key.toml"), profile)
    networks = [
        TrainedNetwork(name=PLAIN, config=bound),
        _one_key(bound, 1, 4),
        _one_key(bound, 3, 4),
        _any_key(free, 1, 4),
        _any_key(free, 3, 4),
        _any_key(free, 1, 1),
    ]
    return {each.name: each for each in networks}


def hash_networks(profile: str) -> dict[int, TrainedNetwork]:
    """Return the hash network of each length of code."""
    config = _shortened(HashTrainConfig.from_toml(CONFIGS / "fashion-mnist-hash.toml"), profile)
    return {
        bits: TrainedNetwork(
            name=f"fashion-mnist-hash-{bits}",
            config=replace(config, network=replace(config.network, bits=bits)),
        )
        for bits in BITS
    }


def table_row(figures: Figures, beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's row, with what the mAP is compared with beside it."""
    return {
        "mAP": round(test_map(figures), 4),
        **beside,
        "P@20": round(figures["test"]["precision_at"]["20"], 4),
        "epochs": len(figures["log"]),
        "CPU minutes": figures["cpu_minutes"],
    }


def _shortened(config: _Config, profile: str) -> _Config:
    return replace(config, epochs=1, warmup_epochs=0) if profile == "quick" else config


def _one_key(config: TrainConfig, part: int, of: int) -> TrainedNetwork:
    parameters = _parameters(config, Scope.COLLECTION, part, of)
    name = f"fashion-mnist-one-key-{part}-of-{of}"
    return key_bound(name, config, parameters, list(b"one key"))


def _any_key(config: TrainConfig, part: int, of: int) -> TrainedNetwork:
    parameters = _parameters(config, Scope.IMAGE, part, of)
    encryptor = AnyKeyEncryptor(parameters)
    return TrainedNetwork(
        name=f"fashion-mnist-any-key-{part}-of-{of}",
        config=config,
        encryptor=encryptor,
        judge=MeasuredKeyEncryptor(parameters, list(b"a key that no training has seen")),
        profile=encryptor.profile,
    )


def _parameters(config: TrainConfig, scope: Scope, part: int, of: int) -> CipherParameters:
    block = config.network.patch_size
    return CipherParameters(
        height=SIZE,
        width=SIZE,
        block_size=block,
        substituted_blocks=(SIZE // block) ** 2 * part // of,
        scope=scope,
    )
