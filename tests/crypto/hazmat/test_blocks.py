"""Permutation and substitution against the plain reference, and the laws they keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.crypto import CipherParameters
from cipherlens.crypto.hazmat import Sequences, decrypt_blocks, encrypt_blocks


@st.composite
def batches(draw):
    """Draw parameters, sequences and a batch of images, of either orientation."""
    block = draw(st.integers(1, 9))
    down, across = sorted((draw(st.integers(1, 5)), draw(st.integers(1, 5))))
    parameters = CipherParameters(
        height=block * down,
        width=block * across,
        block_size=block,
        substituted_blocks=draw(st.integers(0, down * across)),
    )
    count = draw(st.integers(1, 3))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    sets = draw(st.sampled_from([1, count]))
    sequences = Sequences.random(generator, parameters, sets)
    shape = (parameters.height, parameters.width)
    if draw(st.booleans()):
        shape = shape[::-1]
    images = generator.integers(0, 256, (count, *shape, 3), dtype=np.uint8)
    return parameters, sequences, images


def as_lists(sequences, number):
    own = number if len(sequences) > 1 else 0
    return {
        "permutation": sequences.permutation[own].tolist(),
        "selection": sequences.selection[own].tolist(),
        "tables": sequences.tables[own].tolist(),
    }


@given(batches())
def test_decryption_is_exact(batch):
    parameters, sequences, images = batch
    before = images.copy()
    pixels = encrypt_blocks(images, sequences, parameters.block_size)
    assert np.array_equal(images, before)
    kept = pixels.copy()
    assert np.array_equal(decrypt_blocks(pixels, sequences, parameters.block_size), images)
    assert np.array_equal(pixels, kept)


@given(batches())
def test_encryption_agrees_with_the_reference(reference, batch):
    parameters, sequences, images = batch
    pixels = encrypt_blocks(images, sequences, parameters.block_size)
    for number, image in enumerate(images):
        drawn = as_lists(sequences, number)
        expected = reference.encrypt(image.tolist(), drawn, parameters.block_size)
        assert pixels[number].tolist() == expected


def test_without_substitution_the_pixels_only_move():
    parameters = CipherParameters(substituted_blocks=0)
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (2, 128, 192, 3), dtype=np.uint8)
    pixels = encrypt_blocks(images, Sequences.random(generator, parameters, 1), 8)
    assert not np.array_equal(pixels, images)
    for channel in range(3):
        assert np.array_equal(
            np.sort(pixels[..., channel].reshape(2, -1)),
            np.sort(images[..., channel].reshape(2, -1)),
        )


@pytest.mark.parametrize("substituted", [0, 96, 288, 384])
def test_error_of_a_cipher_image_follows_its_law(substituted):
    """Averaged over keys: (1 - f) MSE of the permuted image + f (5461.25 + mean (x - 127.5)^2)."""
    parameters = CipherParameters(substituted_blocks=substituted)
    generator = np.random.default_rng(3)
    rows, columns = np.mgrid[:128, :192]
    image = np.stack([rows, columns, rows + columns // 2], axis=-1).astype(np.uint8)
    images = np.broadcast_to(image, (300, 128, 192, 3))
    drawn = Sequences.random(generator, parameters, 300)
    moved = Sequences(drawn.permutation, drawn.selection[:, :0], drawn.tables)

    def error(sequences):
        pixels = encrypt_blocks(images, sequences, 8).astype(np.float64)
        return ((pixels - image) ** 2).mean()

    fraction = substituted / 384
    ideal = 5461.25 + ((image - 127.5) ** 2).mean()
    law = (1 - fraction) * error(moved) + fraction * ideal
    assert error(drawn) == pytest.approx(law, rel=0.02)


def test_arrays_that_do_not_fit_are_refused():
    sequences = Sequences.random(np.random.default_rng(0), CipherParameters(), 2)
    good = np.zeros((2, 128, 192, 3), np.uint8)
    with pytest.raises(TypeError, match="images must be uint8, got float64"):
        encrypt_blocks(good.astype(float), sequences, 8)
    with pytest.raises(ValueError, match=r"images must be \(n, height, width, 3\)"):
        encrypt_blocks(good[0], sequences, 8)
    with pytest.raises(ValueError, match="both sides must be multiples of 7, got 128x192"):
        encrypt_blocks(good, sequences, 7)
    with pytest.raises(ValueError, match="sequences must be for 96 blocks"):
        decrypt_blocks(good, sequences, 16)
    with pytest.raises(ValueError, match="there must be 1 or 1 sets"):
        encrypt_blocks(good[:1], sequences, 8)


def test_views_and_other_strides_are_encrypted_as_what_they_show():
    sequences = Sequences.random(np.random.default_rng(0), CipherParameters(), 1)
    wide = np.random.default_rng(1).integers(0, 256, (2, 128, 384, 3), dtype=np.uint8)
    view = wide[:, ::-1, ::2]
    expected = encrypt_blocks(view.copy(), sequences, 8)
    assert np.array_equal(encrypt_blocks(view, sequences, 8), expected)
