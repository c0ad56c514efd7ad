import hashlib
import json
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save as serialise

from cipherlens.base import CipherProfile, files
from cipherlens.model import checkpoint
from cipherlens.model.checkpoint import (
    Checkpoint,
    CheckpointConfiguration,
    load_hash_network,
    load_network,
    read_configuration,
    save,
)
from cipherlens.model.config import HashNetworkConfig, NetworkConfig
from cipherlens.model.errors import CheckpointError
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.hash_network import HashNetwork


@pytest.fixture
def configuration(network: EndToEndNetwork, profile: CipherProfile) -> CheckpointConfiguration:
    training = {"seed": 3, "class_names": ["a", "ü"]}
    return CheckpointConfiguration(network=network.config, profile=profile, training=training)


@pytest.fixture
def path(tmp_path: Path, network: EndToEndNetwork, configuration: CheckpointConfiguration) -> Path:
    save(tmp_path / "model.safetensors", network, configuration)
    return tmp_path / "model.safetensors"


def header_and_body(data: bytes) -> tuple[dict[str, Any], bytes]:
    (length,) = struct.unpack_from("<Q", data)
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def edited(data: bytes, edit: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a checkpoint whose configuration document was changed."""
    header, body = header_and_body(data)
    document = json.loads(header["__metadata__"]["cipherlens"])
    edit(document)
    header["__metadata__"]["cipherlens"] = json.dumps(document)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_a_file_gives_the_same_network_back(
    path: Path, network: EndToEndNetwork, configuration: CheckpointConfiguration
) -> None:
    pixels = torch.rand(1, 3, 24, 16, generator=torch.Generator().manual_seed(0))
    for source in (path, path.read_bytes()):
        loaded = load_network(source)
        assert not loaded.training
        assert torch.equal(loaded(pixels), network(pixels))
        assert read_configuration(source) == configuration
        found = Checkpoint.read(source)
        assert found.configuration == configuration
        assert found.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_document_in_a_file_never_changes(
    network_config: NetworkConfig, profile: CipherProfile
) -> None:
    """Files that exist must load, and a training is known by this text."""
    network = replace(network_config, drop_path=0.1)
    found = CheckpointConfiguration(network=network, profile=profile, training={"seed": 3})
    assert found.to_json() == (
        '{"architecture": "e2e", "format_version": 1, "network": {"backbone": "vit", '
        '"classes": 3, "depth": 2, "dim": 16, "drop_path": 0.1, "embedding": "linear", '
        '"feature_dim": 8, "heads": 2, "height": 16, "mlp_ratio": 2.0, "patch_size": 8, '
        '"positions": "learned", "width": 24}, '
        '"numeric_mode": "fp32", "profile": {"block_size": 8, "height": 16, '
        '"key_fingerprint": "000102030405060708090a0b0c0d0e0f", "preparation_version": 1, '
        '"scheme_version": 1, "scope": "collection", "substituted_blocks": 2, "width": 24}, '
        '"training": {"seed": 3}}'
    )
    assert CheckpointConfiguration.from_json(found.to_json()) == found
    before = found.to_json().replace('"embedding": "linear", ', "")
    assert CheckpointConfiguration.from_json(before) == found
    hashing = CheckpointConfiguration(
        architecture="hash", network=HashNetworkConfig(backbone="test_resnet"), profile=None
    )
    assert hashing.to_json() == (
        '{"architecture": "hash", "format_version": 1, "network": {"backbone": "test_resnet", '
        '"bits": 48, "classes": 100, "height": 384, "threshold": 0.5, "width": 384}, '
        '"numeric_mode": "fp32", "profile": null, "training": {}}'
    )
    assert CheckpointConfiguration.from_json(hashing.to_json()) == hashing


@pytest.fixture
def hash_path(tmp_path: Path, hash_network: HashNetwork) -> Path:
    configuration = CheckpointConfiguration(
        architecture="hash", network=hash_network.config, profile=None
    )
    save(tmp_path / "hash.safetensors", hash_network, configuration)
    return tmp_path / "hash.safetensors"


def test_a_file_gives_the_same_hash_network_back(
    hash_path: Path, hash_network: HashNetwork
) -> None:
    pixels = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    for source in (hash_path, hash_path.read_bytes()):
        loaded = load_hash_network(source)
        assert not loaded.training
        assert loaded.config == hash_network.config
        assert torch.equal(loaded(pixels), hash_network(pixels))
        assert torch.equal(loaded.head.norm.running_mean, hash_network.head.norm.running_mean)


def test_a_network_is_not_taken_for_the_other_kind(path: Path, hash_path: Path) -> None:
    with pytest.raises(CheckpointError, match="this is a hash network"):
        load_network(hash_path)
    with pytest.raises(CheckpointError, match="this is no hash network"):
        load_hash_network(path)


def test_architecture_network_and_profile_must_agree(
    network_config: NetworkConfig, profile: CipherProfile
) -> None:
    hashing = HashNetworkConfig(height=16, width=24)
    with pytest.raises(TypeError, match="architecture e2e must be a NetworkConfig"):
        CheckpointConfiguration(network=hashing, profile=None)
    with pytest.raises(TypeError, match="architecture hash must be a HashNetworkConfig"):
        CheckpointConfiguration(architecture="hash", network=network_config, profile=None)
    with pytest.raises(ValueError, match="hash network reads plain images"):
        CheckpointConfiguration(architecture="hash", network=hashing, profile=profile)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda document: document["network"].update(bits=13), "its configuration needs"),
        (lambda document: document["network"].update(threshold=2), "threshold must be from"),
        (lambda document: document["network"].update(patch_size=8), "does not know patch_size"),
        (lambda document: document.update(architecture="e2e"), "does not know bits, threshold"),
        (lambda document: document.update(architecture=[]), "damaged"),
    ],
)
def test_a_hash_configuration_that_cannot_be_right(
    hash_path: Path, edit: Callable[[dict[str, Any]], None], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_hash_network(edited(hash_path.read_bytes(), edit))


def test_a_plain_twin_has_no_profile(tmp_path: Path, network: EndToEndNetwork) -> None:
    target = tmp_path / "twin.safetensors"
    save(target, network, CheckpointConfiguration(network=network.config, profile=None))
    assert read_configuration(target).profile is None


@pytest.mark.skipif(not timm.is_model("test_vit_relpos"), reason="this timm lacks the network")
def test_buffers_that_no_file_holds_are_computed(tmp_path: Path) -> None:
    config = NetworkConfig(
        backbone="test_vit_relpos", feature_dim=4, height=160, width=160, classes=2
    )
    network = EndToEndNetwork(config).eval()
    assert {name for name, _ in network.named_buffers()} - set(network.state_dict())
    save(tmp_path / "m", network, CheckpointConfiguration(network=config, profile=None))
    pixels = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    assert torch.equal(load_network(tmp_path / "m")(pixels), network(pixels))


def test_saving_again_gives_the_same_bytes(
    path: Path, network: EndToEndNetwork, configuration: CheckpointConfiguration
) -> None:
    before = path.read_bytes()
    save(path, network, configuration)
    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_failed_save_leaves_the_old_file(
    path: Path,
    network: EndToEndNetwork,
    configuration: CheckpointConfiguration,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = path.read_bytes()

    def fail(_descriptor: int) -> None:
        raise OSError("no space")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        save(path, network, replace(configuration, training={}))
    assert path.read_bytes() == before


def test_the_cloud_side_imports_neither_crypto_nor_more_than_it_needs() -> None:
    light = "cipherlens.base, cipherlens.model.errors, cipherlens.model.checkpoint"
    for modules, forbidden in (
        (light, ("torch", "timm", "safetensors", "cipherlens.crypto")),
        ("cipherlens.model.networks.end_to_end, cipherlens.model.embedder", ("cipherlens.crypto",)),
    ):
        script = f"import sys, {modules}\nprint([n for n in {forbidden!r} if n in sys.modules])"
        found = subprocess.run(  # a fresh interpreter: this one has loaded everything
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("keep", [0, 7, 8, 100, -1, -5000])
def test_a_file_cut_short(path: Path, keep: int) -> None:
    with pytest.raises(CheckpointError):
        load_network(path.read_bytes()[:keep])


def test_every_damaged_byte_of_the_header_is_noticed_or_harmless(path: Path) -> None:
    """A flipped byte gives a CheckpointError or a sound network, and no other exception."""
    data = bytearray(path.read_bytes())
    (length,) = struct.unpack_from("<Q", data)
    refused = 0
    for position in np.random.default_rng(0).choice(8 + length, 150, replace=False):
        data[position] ^= 0x15
        try:
            load_network(bytes(data))
        except CheckpointError:
            refused += 1
        data[position] ^= 0x15
    assert refused > 100


def test_other_files_are_no_checkpoints(network: EndToEndNetwork) -> None:
    with pytest.raises(CheckpointError, match="holds no cipherlens configuration"):
        load_network(serialise(network.state_dict()))
    with pytest.raises(CheckpointError, match="a header of"):
        read_configuration(b"\x89PNG\r\n\x1a\n" + bytes(100))


def _version(document: dict[str, Any]) -> None:
    document["format_version"] = 2


def _surplus(document: dict[str, Any]) -> None:
    document["colour"] = "red"


def _missing(document: dict[str, Any]) -> None:
    del document["profile"]


def _huge(document: dict[str, Any]) -> None:
    document["network"]["dim"] = 10**9


def _deeper(document: dict[str, Any]) -> None:
    document["network"]["depth"] = 3


def _wider(document: dict[str, Any]) -> None:
    document["network"].update(dim=4096, depth=64, feature_dim=8192)


def _hub(document: dict[str, Any]) -> None:
    document["network"]["backbone"] = "hf-hub:someone/model"


def _unknown(document: dict[str, Any]) -> None:
    document["network"]["backbone"] = "no_such_network"


def _other_blocks(document: dict[str, Any]) -> None:
    document["profile"]["block_size"] = 4


def _hash(document: dict[str, Any]) -> None:
    document["architecture"] = "other"


def _mode(document: dict[str, Any]) -> None:
    document["numeric_mode"] = "int4"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_version, "format version 2 is not 1"),
        (_surplus, "does not know colour"),
        (_missing, "damaged: 'profile'"),
        (_huge, "dim must be from 1 to 4096"),
        (_deeper, "lacks 12 tensors"),
        (_wider, "tensors|needs"),
        (_hub, "backbone must be"),
        (_unknown, "got 'no_such_network'"),
        (_other_blocks, "patch_size 8 is not the cipher-images' block_size 4"),
        (_hash, "architecture must be one of e2e"),
        (_mode, "numeric_mode must be one of"),
    ],
)
def test_a_configuration_that_cannot_be_right(
    path: Path, edit: Callable[[dict[str, Any]], None], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load_network(edited(path.read_bytes(), edit))


@pytest.mark.parametrize(("side", "refused"), [(128, False), (256, True), (4096, True)])
def test_what_an_image_costs_is_bounded_before_any_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, refused: bool
) -> None:
    """3 KB without positions may claim blocks of a pixel: 256x256 took 45 s."""
    monkeypatch.setattr(checkpoint, "MAX_MULTIPLY_ACCUMULATES", 10**11)
    config = NetworkConfig(
        patch_size=1, dim=2, depth=1, heads=1, feature_dim=2, classes=1, positions="none",
        height=side, width=side,
    )  # fmt: skip
    path = tmp_path / "m"
    save(path, EndToEndNetwork(config), CheckpointConfiguration(network=config, profile=None))
    assert path.stat().st_size < 5000
    if not refused:
        load_network(path)
        return
    with pytest.raises(CheckpointError, match=r"multiply-accumulates .* the limit is 100,000,000"):
        load_network(path)


@pytest.mark.skipif(not timm.is_model("test_vit_relpos"), reason="this timm lacks the network")
def test_a_network_that_takes_no_image_of_its_size_is_refused(tmp_path: Path) -> None:
    config = NetworkConfig(
        backbone="test_vit_relpos", feature_dim=4, height=32, width=32, classes=2
    )
    described = CheckpointConfiguration(network=config, profile=None)
    save(tmp_path / "m", EndToEndNetwork(config), described)
    with pytest.raises(CheckpointError, match="does not run on images of 32 x 32"):
        load_network(tmp_path / "m")


def test_tensors_must_be_those_of_the_configuration(
    network: EndToEndNetwork, configuration: CheckpointConfiguration
) -> None:
    metadata = {"cipherlens": configuration.to_json()}
    good = network.state_dict()
    load_network(serialise(good, metadata=metadata))
    bad = {
        "unknown tensors, first extra": {**good, "extra": torch.zeros(1)},
        "lacks 1 tensors, first feature.bias": {
            name: each for name, each in good.items() if name != "feature.bias"
        },
        r"float16 \(8,\)": {**good, "feature.bias": torch.zeros(8, dtype=torch.float16)},
        r"float32 \(7,\)": {**good, "feature.bias": torch.zeros(7)},
        "not finite": {**good, "feature.bias": torch.full((8,), torch.nan)},
    }
    for message, tensors in bad.items():
        with pytest.raises(CheckpointError, match=message):
            load_network(serialise(tensors, metadata=metadata))


def test_sizes_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MAX_FILE_BYTES", 1000)
    with pytest.raises(CheckpointError, match="bytes, the limit is 1000"):
        load_network(path)
    with pytest.raises(CheckpointError, match="the limit is 1000"):
        Checkpoint.read(path.read_bytes())
