"""The figures in results/trainings are found by what the benchmarks ask for now."""

import json
from itertools import product
from types import SimpleNamespace

import pytest

from benchmarks.methods.cases import CASES, SIZE
from benchmarks.methods.fashion_mnist import e2e_networks, hash_networks
from benchmarks.methods.figures import STORE
from benchmarks.science import hash_precision, settings
from cipherlens.model.config import HashTrainConfig, TrainConfig


def full_networks():
    e2e = TrainConfig.from_toml(settings.CONFIG)
    yield from e2e_networks("full").values()
    yield from hash_networks("full").values()
    for block_size in (8, 16):
        yield settings.plain_network(e2e, block_size)
    for case, setting in product(CASES, settings.SETTINGS):
        yield settings.network(SIZE, e2e, case, setting)
    hashing = HashTrainConfig.from_toml(hash_precision.CONFIG)
    for side in hash_precision.SIDES:
        for bits in hash_precision.BITS:
            yield hash_precision.network(hashing, side, bits)


@pytest.mark.parametrize("network", list(full_networks()), ids=lambda network: network.name)
def test_a_kept_training_is_found(network):
    kept = [json.loads(path.read_text()) for path in STORE.figures.glob(f"{network.name}-*.json")]
    epochs = network.config.epochs  # a quick profile leaves figures of fewer, of other pictures
    digests = {each["data_digest"] for each in kept if each["config"]["epochs"] == epochs}
    assert digests
    for digest in digests:
        assert STORE.kept(network, SimpleNamespace(digest=lambda d=digest: d)).exists()
