"""The cipher-image file: vector, round trips, and every kind of damage."""

import numpy as np
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import CipherImage, CipherParameters, FormatError, ImageCipher


@pytest.fixture(scope="session")
def small(make_entry):
    cipher = ImageCipher(make_entry(height=8, width=16, substituted_blocks=1, scope="image"))
    return cipher.encrypt_image(np.arange(8 * 16 * 3, dtype=np.uint8).reshape(8, 16, 3))


def sealed_again(body):
    """Return a body with a checksum that fits, as a forger would."""
    return bytes(body) + blake3(bytes(body)).digest()


def test_file_agrees_with_its_vector(vector_path, reference, make_entry):
    data = (vector_path / "cipher_image.bin").read_bytes()
    image = CipherImage.from_bytes(data)
    assert image.to_bytes() == data
    assert reference.cipher_image_file() == data
    assert image.nonce == bytes(range(100, 116))
    entry = make_entry(height=16, width=24, substituted_blocks=3, scope="image")
    plain = ImageCipher(entry).decrypt_image(image)
    assert plain.tolist() == reference.picture(16, 24)


def test_what_is_no_cipher_image_is_not_read(vectors):
    document = vectors("image_cipher.json")
    assert CipherImage.from_bytes(bytes.fromhex(document["file"])).height == 16
    for what, data in document["must_not_read"].items():
        with pytest.raises(FormatError):
            pytest.fail(f"{what} was read: {CipherImage.from_bytes(bytes.fromhex(data))}")


@given(data=st.data())
def test_round_trip(data):
    height, width = sorted((8 * data.draw(st.integers(1, 4)), 8 * data.draw(st.integers(1, 4))))
    scope = data.draw(st.sampled_from(["collection", "image"]))
    parameters = CipherParameters(height=height, width=width, substituted_blocks=1, scope=scope)
    shape = data.draw(st.permutations([height, width]))
    image = CipherImage(
        parameters=parameters,
        key_fingerprint=data.draw(st.binary(min_size=16, max_size=16)),
        height=shape[0],
        width=shape[1],
        nonce=data.draw(st.binary(min_size=16, max_size=16)) if scope == "image" else bytes(16),
        pixels=np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8),
    )
    again = CipherImage.from_bytes(image.to_bytes())
    assert again == image
    assert hash(again) == hash(image)
    assert again.digest() == image.digest()


@given(data=st.data())
def test_any_flipped_bit_is_found(small, data):
    damaged = bytearray(small.to_bytes())
    position = data.draw(st.integers(0, len(damaged) - 1))
    damaged[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FormatError):
        CipherImage.from_bytes(bytes(damaged))


def test_every_truncation_is_found(small):
    whole = small.to_bytes()
    for length in range(len(whole)):
        with pytest.raises(FormatError):
            CipherImage.from_bytes(whole[:length])


@pytest.mark.parametrize("tail", [b"\0", b"a few bytes more"])
def test_trailing_bytes_are_found(small, tail):
    with pytest.raises(FormatError, match="has 484 bytes, got"):
        CipherImage.from_bytes(small.to_bytes() + tail)


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (0, b"PNG", "magic"),
        (8, b"\2", "format version must be 1, got 2"),
        (10, b"\2", "scheme_version must be 1, got 2"),
        (12, b"\2", "preparation_version must be 1, got 2"),
        (14, b"\3", "not a cipher-image that this version reads"),
        (14, b"\1", "nonce must be all zero"),
        (15, b"\1", "reserved byte"),
        (16, b"\0", "height must be 1"),
        (24, b"\3", "multiple of block_size"),
        (28, b"\x0b", "substituted_blocks must be 0 to 2, got 11"),
    ],
)
def test_a_wrong_claim_with_a_right_checksum_is_refused(small, offset, value, message):
    body = bytearray(small.to_bytes()[:-32])
    body[offset : offset + len(value)] = value
    with pytest.raises(FormatError, match=message):
        CipherImage.from_bytes(sealed_again(body))


def test_a_size_that_is_not_the_keys_is_refused(small):
    body = bytearray(small.to_bytes()[:-32])
    body[32:36] = bytes([4, 0, 32, 0])
    with pytest.raises(FormatError, match="8x16 or its portrait, got 4x32"):
        CipherImage.from_bytes(sealed_again(body))


def test_digest_follows_every_field(small):
    fields = {name: getattr(small, name) for name in small.__dataclass_fields__}
    changed = small.pixels.copy()
    changed[0, 0, 0] ^= 1
    variants = [
        CipherImage(**{**fields, "pixels": changed}),
        CipherImage(**{**fields, "nonce": bytes(15) + b"\1"}),
        CipherImage(**{**fields, "key_fingerprint": bytes(16)}),
        CipherImage(
            **{
                **fields,
                "parameters": CipherParameters(
                    height=8, width=16, substituted_blocks=2, scope="image"
                ),
            }
        ),
    ]
    assert len({small.digest(), *(variant.digest() for variant in variants)}) == 5
    assert all(variant != small for variant in variants)
    assert small != "something else"


def test_pixels_cannot_be_changed_through_it(small):
    with pytest.raises(ValueError, match="read-only"):
        small.pixels[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"nonce": bytes(15)}, ValueError, "nonce must be 16 bytes, got 15"),
        ({"nonce": "0" * 16}, TypeError, "nonce must be bytes"),
        ({"key_fingerprint": b""}, ValueError, "key_fingerprint must be 16 bytes, got 0"),
        ({"height": 16}, ValueError, "or its portrait, got 16x16"),
        ({"pixels": np.zeros((8, 16, 3))}, TypeError, "pixels must be uint8, got float64"),
        ({"pixels": np.zeros((8, 16), np.uint8)}, ValueError, r"pixels must be \(8, 16, 3\)"),
    ],
)
def test_fields_that_do_not_fit_are_refused(small, changes, error, message):
    fields = {name: getattr(small, name) for name in small.__dataclass_fields__}
    with pytest.raises(error, match=message):
        CipherImage(**{**fields, **changes})


def test_view_shows_the_pixels(small):
    view = small.view()
    assert (view.mode, view.size) == ("RGB", (16, 8))
    assert np.array_equal(np.asarray(view), small.pixels)


def test_text_leaves_the_pixels_out(small):
    assert "pixels" not in repr(small)
