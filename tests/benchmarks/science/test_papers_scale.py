"""The profile of the papers' scale, from end to end, with networks of a second."""

import json
from dataclasses import replace

import pytest

from benchmarks.harness.registry import TRY
from benchmarks.methods import corel10k
from benchmarks.methods.figures import Store
from benchmarks.science import backbones, cipher_quality, hash_precision, settings
from cipherlens.model.config import NetworkConfig, TrainConfig
from cipherlens.model.data.images import PreparedImages

SIDES = (32, 64)


@pytest.fixture(autouse=True)
def small(monkeypatch, store: Store, make_pictures) -> None:
    """Let pictures be small and few, and networks tiny; all else is the profile's."""

    def pictures(size, profile) -> PreparedImages:
        assert profile == TRY
        square = size.height == size.width
        return make_pictures(size.height, size.width, 144) if square else make_pictures(32, 48, 72)

    def e2e(profile, backbone="p8") -> TrainConfig:
        network = NetworkConfig(dim=8, depth=1, heads=1, feature_dim=4)
        if backbone == "resnet50":
            network = NetworkConfig(backbone="test_resnet", feature_dim=4)
        return replace(real_e2e(profile, backbone), network=network, precision="fp32")

    def hashing(profile):
        config = real_hashing(profile)
        network = replace(config.network, backbone="test_resnet")
        return replace(config, network=network, precision="fp32")

    real_e2e, real_hashing = corel10k.e2e, corel10k.hashing
    monkeypatch.setattr(corel10k, "pictures", pictures)
    monkeypatch.setattr(corel10k, "SIDES", SIDES)
    monkeypatch.setattr(corel10k, "e2e", e2e)
    monkeypatch.setattr(corel10k, "hashing", hashing)
    monkeypatch.setitem(corel10k.STORES, TRY, store)
    monkeypatch.setenv("WEIGHTS", "random")


@pytest.mark.parametrize(
    ("benchmark", "rows"),
    [
        (settings, ["P=16, M=3/4"]),
        (backbones, ["P=16, M=1/4"]),
    ],
)
def test_a_table_of_trained_networks(benchmark, rows) -> None:
    document = json.loads(json.dumps(benchmark.run(TRY), allow_nan=False))
    assert list(document["results"]) == rows
    assert document["weights"] == ["random"]
    assert "a try, no measurement" in document["cut"]
    assert document["data"].startswith("Corel10K: ")
    assert set(document["paper"]) == set(rows)


def test_codes_of_both_sizes() -> None:
    document = json.loads(json.dumps(hash_precision.run(TRY), allow_nan=False))
    # The paper starts from weights of ImageNet: a row from random ones says so.
    assert list(document["results"]) == [
        "32x32, 48 bits, random weights",
        "64x64, 48 bits, random weights",
        "ceiling, random weights",
    ]
    assert document["paper"]["384x384, 48 bits"]["P@20"] == 86.23


def test_cipher_images(monkeypatch, make_pictures) -> None:
    monkeypatch.setattr(corel10k, "pictures", lambda *_: make_pictures(128, 192, 3))
    document = json.loads(json.dumps(cipher_quality.run(TRY), allow_nan=False))
    assert next(iter(document["results"])) == "Corel10K, P=16, M=24"
    assert list(document["tables"][cipher_quality.FITS])[1] == "Corel10K"
    assert "cut" in document
