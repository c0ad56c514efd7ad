from dataclasses import replace

import numpy as np
import pytest
import torch
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.base import ProfileMismatch
from cipherlens.crypto import (
    CipherParameters,
    ImageCipher,
    KeyEntry,
    Scope,
)
from cipherlens.crypto.hazmat import Sequences, decrypt_blocks
from cipherlens.model.config import NetworkConfig
from cipherlens.model.data.encryption import AnyKeyEncryptor, KeyEncryptor, plain
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.network import to_input


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 24, 16, 3), dtype=np.uint8)


def test_collection_scope_is_what_a_client_uploads(entry: KeyEntry, images: np.ndarray) -> None:
    encrypted = KeyEncryptor(entry)(images, np.random.default_rng(0))
    expected, _ = ImageCipher(entry).encrypt(images)
    assert np.array_equal(encrypted, expected)
    assert not np.array_equal(encrypted, images)


def test_image_scope_repeats_with_its_generator(entry: KeyEntry, images: np.ndarray) -> None:
    parameters = replace(entry.parameters, scope=Scope.IMAGE)
    encryptor = KeyEncryptor(replace(entry, parameters=parameters))
    same = np.stack([images[0]] * 3)
    one, again, other = (encryptor(same, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])


@pytest.mark.parametrize(
    ("height", "digest"),
    [
        (16, "ddc1561a09dcbd7d2856f46bc7749223a03e82e265d2c8f81e1ebae47a6d9e98"),
        (24, "b65391173d00ac0eef4156cbd1e2369f1a1dadbd6b5d55bca1acfa745ac96f9a"),
    ],
)
def test_a_training_under_one_seed_sees_the_same_bytes_for_ever(
    entry: KeyEntry, height: int, digest: str
) -> None:
    key = replace(entry, parameters=replace(entry.parameters, scope=Scope.IMAGE))
    shape = (3, height, 40 - height, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    encrypted = KeyEncryptor(key)(images, np.random.default_rng(5))
    assert blake3(encrypted.tobytes()).hexdigest() == digest
    nonces = np.random.default_rng(5).integers(0, 256, (3, 16), dtype=np.uint8)
    assert np.array_equal(ImageCipher(key).decrypt(encrypted, nonces), images)


def test_image_scope_needs_its_size(entry: KeyEntry, images: np.ndarray) -> None:
    key = replace(entry, parameters=replace(entry.parameters, scope=Scope.IMAGE))
    with pytest.raises(ValueError, match="images must be 16x24 or its portrait"):
        KeyEncryptor(key)(images.reshape(3, 8, 48, 3), np.random.default_rng(0))


def test_the_twin_sees_plain_images(images: np.ndarray) -> None:
    assert np.array_equal(plain(images, np.random.default_rng(0)), images)


def test_the_profile_is_what_a_cipher_image_says(entry: KeyEntry, images: np.ndarray) -> None:
    profile = KeyEncryptor(entry).profile
    said = ImageCipher(entry).encrypt_image(images[0])
    assert profile.key_fingerprint == said.key_fingerprint
    for name in ("scheme_version", "preparation_version", "block_size", "substituted_blocks"):
        assert getattr(profile, name) == getattr(said.parameters, name)
    assert (profile.height, profile.width) == (16, 24)
    assert profile.scope == "collection"
    assert profile.shape_matches(said.height, said.width)


@pytest.fixture
def image_scope(entry: KeyEntry) -> CipherParameters:
    return replace(entry.parameters, scope=Scope.IMAGE)


@given(
    seed=st.integers(0, 2**32), count=st.integers(1, 5), share=st.integers(0, 6), tall=st.booleans()
)
def test_images_of_any_key_decrypt_to_the_byte(
    seed: int, count: int, share: int, tall: bool
) -> None:
    parameters = CipherParameters(
        height=16, width=24, block_size=8, substituted_blocks=share, scope=Scope.IMAGE
    )
    shape = (count, 24, 16, 3) if tall else (count, 16, 24, 3)
    images = np.random.default_rng(seed + 1).integers(0, 256, shape, dtype=np.uint8)
    before = images.copy()
    encrypted = AnyKeyEncryptor(parameters)(images, np.random.default_rng(seed))
    sequences = Sequences.random(np.random.default_rng(seed), parameters, count)
    assert np.array_equal(decrypt_blocks(encrypted, sequences, 8), images)
    assert np.array_equal(images, before)


def test_any_key_is_another_for_every_sample(
    image_scope: CipherParameters, images: np.ndarray
) -> None:
    same = np.stack([images[0]] * 8)
    generator = np.random.default_rng(0)
    encryptor = AnyKeyEncryptor(image_scope)
    encrypted = np.concatenate([encryptor(same, generator), encryptor(same, generator)])
    assert len({each.tobytes() for each in encrypted}) == 16


def test_any_key_repeats_with_its_generator(
    image_scope: CipherParameters, images: np.ndarray
) -> None:
    encryptor = AnyKeyEncryptor(image_scope)
    one, again, other = (encryptor(images, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_profile_of_any_key_fits_every_key_of_image_scope(
    entry: KeyEntry, image_scope: CipherParameters
) -> None:
    profile = AnyKeyEncryptor(image_scope).profile
    assert (profile.scope, profile.key_fingerprint) == ("image", b"")
    for first in (0, 1):
        key = replace(entry, root=bytes(range(first, first + 32)), parameters=image_scope)
        profile.require(KeyEncryptor(key).profile, "the key")
    with pytest.raises(ProfileMismatch, match="scope collection is not image"):
        profile.require(KeyEncryptor(entry).profile, "the key")


def test_any_key_needs_image_scope_and_its_size(
    entry: KeyEntry, image_scope: CipherParameters, images: np.ndarray
) -> None:
    with pytest.raises(ValueError, match="got collection"):
        AnyKeyEncryptor(entry.parameters)
    with pytest.raises(ValueError, match=r"images must be 16x24 or its portrait, got \(3, 24, 8"):
        AnyKeyEncryptor(image_scope)(images[:, :, :8], np.random.default_rng(0))


@given(seed=st.integers(0, 2**32), tall=st.booleans())
def test_without_positions_a_feature_is_that_of_every_order_of_the_blocks(
    seed: int, tall: bool
) -> None:
    config = NetworkConfig(
        dim=16, depth=2, heads=2, feature_dim=8, height=16, width=24, positions="none"
    )
    parameters = CipherParameters(
        height=16, width=24, block_size=8, substituted_blocks=0, scope=Scope.IMAGE
    )
    generator = np.random.default_rng(seed)
    shape = (2, 24, 16, 3) if tall else (2, 16, 24, 3)
    images = generator.integers(0, 256, shape, dtype=np.uint8)
    permuted = AnyKeyEncryptor(parameters)(images, generator)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = EndToEndNetwork(config).eval()
        plain_features, features = (
            network(to_input(each, torch.device("cpu"))) for each in (images, permuted)
        )
    torch.testing.assert_close(features, plain_features, atol=1e-5, rtol=1e-5)
