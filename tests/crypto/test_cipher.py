"""The image cipher: vectors of both scopes, nonces, claims."""

import inspect
import os

import numpy as np
import pytest
from blake3 import blake3

from cipherlens.crypto import CipherMismatch, CipherParameters, ImageCipher, KeyEntry, Scope


def random_images(count, height=128, width=192, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.fixture(params=list(Scope))
def cipher(request, make_entry):
    return ImageCipher(make_entry(scope=request.param))


def test_cipher_images_agree_with_their_vectors(vectors, reference, make_entry, monkeypatch):
    for case in vectors("image_cipher.json")["cases"]:
        parameters = CipherParameters(**case["parameters"])
        cipher = ImageCipher(make_entry(**case["parameters"]))
        nonce = bytes.fromhex(case["nonce"])
        monkeypatch.setattr(os, "urandom", {16: nonce}.__getitem__)
        for name in ("landscape", "portrait"):
            shape = (parameters.height, parameters.width)
            picture = reference.picture(*(shape if name == "landscape" else shape[::-1]))
            images = np.array([picture], np.uint8)
            assert blake3(images.tobytes()).hexdigest() == case[f"{name}_plain_blake3"]
            pixels, nonces = cipher.encrypt(images)
            assert nonces.tobytes() == nonce
            assert blake3(pixels.tobytes()).hexdigest() == case[f"{name}_pixels_blake3"]
            if f"{name}_pixels" in case:
                assert pixels.tobytes().hex() == case[f"{name}_pixels"]
            described = cipher._describe(pixels[0], nonces[0])
            assert described.digest().hex() == case[f"{name}_digest"]
            assert np.array_equal(cipher.decrypt_image(described), images[0])


def test_the_reference_still_writes_the_committed_vectors(vectors, reference):
    assert vectors("image_cipher.json") == reference.image_cipher_document()


@pytest.mark.parametrize("shape", [(128, 192), (192, 128)])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_batches_come_back_exactly(cipher, shape, count):
    images = random_images(count, *shape)
    pixels, nonces = cipher.encrypt(images)
    assert pixels.shape == images.shape
    assert nonces.shape == (count, 16)
    assert np.array_equal(cipher.decrypt(pixels, nonces), images)


def test_collection_scope_encrypts_equal_images_alike(make_entry):
    cipher = ImageCipher(make_entry(scope="collection"))
    images = np.repeat(random_images(1), 2, axis=0)
    pixels, nonces = cipher.encrypt(images)
    assert np.array_equal(pixels[0], pixels[1])
    assert not nonces.any()


def test_image_scope_encrypts_equal_images_differently(make_entry):
    cipher = ImageCipher(make_entry(scope="image"))
    images = np.repeat(random_images(1), 2, axis=0)
    pixels, nonces = cipher.encrypt(images)
    assert not np.array_equal(pixels[0], pixels[1])
    assert not np.array_equal(nonces[0], nonces[1])


def test_no_caller_chooses_a_nonce():
    for method in (ImageCipher.encrypt, ImageCipher.encrypt_images, ImageCipher.encrypt_image):
        assert len(inspect.signature(method).parameters) == 2  # self and what to encrypt


def test_returned_nonces_are_the_callers_own(cipher):
    images = random_images(1)
    pixels, nonces = cipher.encrypt(images)
    kept = nonces.copy()
    nonces[:] = 1
    assert np.array_equal(cipher.decrypt(pixels, kept), images)


def test_another_root_does_not_decrypt(cipher, make_entry):
    other = ImageCipher(make_entry(root=b"\1" * 32, scope=cipher.parameters.scope))
    images = random_images(1)
    pixels, nonces = cipher.encrypt(images)
    assert not np.array_equal(other.decrypt(pixels, nonces), images)


def test_mixed_orientations_keep_their_order(cipher):
    images = [
        random_images(1, *shape, seed=n)[0] for n, shape in enumerate([(128, 192), (192, 128)] * 2)
    ]
    encrypted = cipher.encrypt_images(images)
    assert [(e.height, e.width) for e in encrypted] == [(128, 192), (192, 128)] * 2
    for image, own in zip(images, encrypted, strict=True):
        assert np.array_equal(cipher.decrypt_image(own), image)
    assert cipher.encrypt_images([]) == []


def test_a_cipher_image_describes_its_key(cipher):
    encrypted = cipher.encrypt_image(random_images(1)[0])
    assert encrypted.parameters == cipher.parameters
    assert encrypted.key_fingerprint == cipher.key_fingerprint
    assert any(encrypted.nonce) == (cipher.parameters.scope is Scope.IMAGE)


def test_a_cipher_image_of_another_key_is_refused_naming_both(make_entry):
    mine, other = ImageCipher(make_entry()), ImageCipher(make_entry(root=b"\1" * 32))
    encrypted = other.encrypt_image(random_images(1)[0])
    with pytest.raises(CipherMismatch) as caught:
        mine.decrypt_image(encrypted)
    assert mine.key_fingerprint.hex() in str(caught.value)
    assert other.key_fingerprint.hex() in str(caught.value)


def test_a_cipher_image_of_other_parameters_is_refused_naming_both(make_entry):
    mine, other = ImageCipher(make_entry()), ImageCipher(make_entry(substituted_blocks=97))
    encrypted = other.encrypt_image(random_images(1)[0])
    with pytest.raises(CipherMismatch, match="substituted_blocks 97 is not 96"):
        mine.decrypt_image(encrypted)


@pytest.mark.parametrize(
    "shape", [(128, 192, 3), (1, 128, 192), (1, 128, 128, 3), (1, 128, 192, 4), (1, 64, 96, 3)]
)
def test_images_of_another_size_are_refused(cipher, shape):
    with pytest.raises(ValueError, match=r"images must be \(n, 128, 192, 3\) or its portrait"):
        cipher.encrypt(np.zeros(shape, np.uint8))


def test_images_of_another_type_are_refused(cipher):
    with pytest.raises(TypeError, match="images must be uint8, got int64"):
        cipher.encrypt(np.zeros((1, 128, 192, 3), np.int64))


@pytest.mark.parametrize(
    "nonces", [np.zeros((2, 16), np.uint8), np.zeros((1, 15), np.uint8), np.zeros((1, 16))]
)
def test_nonces_of_another_shape_are_refused(cipher, nonces):
    with pytest.raises(ValueError, match=r"nonces must be \(1, 16\) uint8"):
        cipher.decrypt(random_images(1), nonces)


def test_collection_scope_refuses_a_nonce(make_entry):
    with pytest.raises(ValueError, match="all zero in collection scope"):
        ImageCipher(make_entry(scope="collection")).decrypt(
            random_images(1), np.ones((1, 16), np.uint8)
        )


def test_text_does_not_show_the_root(cipher):
    entry = KeyEntry.generate("k", cipher.parameters)
    secret = entry.root.hex()
    for text in (repr(ImageCipher(entry)), str(vars(ImageCipher(entry)))):
        assert secret not in text
        assert repr(entry.root) not in text
