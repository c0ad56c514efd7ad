from dataclasses import replace

import numpy as np
import pytest

from cipherlens.crypto import ImageCipher, KeyEntry, Scope
from cipherlens.model.encryption import KeyEncryptor, plain


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
