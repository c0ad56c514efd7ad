from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.client.picture import (
    LOCAL_PLACE,
    encrypt_pictures,
    png_bytes,
    prepare_picture,
)
from cipherlens.crypto import ImageCipher, ImageError, KeyEntry, open_image

Noise = Callable[..., Image.Image]


def test_the_original_of_a_file_is_the_file(key: KeyEntry, noise: Noise, tmp_path: Path) -> None:
    path = tmp_path / "p.jpg"
    noise(1).save(path)
    for source in (path, str(path), path.read_bytes()):
        prepared = prepare_picture(source, key.parameters)
        assert prepared.original is not None
        assert prepared.original.data == path.read_bytes()
        assert prepared.original.media_type == "image/jpeg"
        assert prepared.pixels.shape == (32, 48, 3)


def test_the_original_of_a_pillow_image_is_a_png(key: KeyEntry, noise: Noise) -> None:
    image = noise(1, (20, 70))
    prepared = prepare_picture(image, key.parameters)
    assert prepared.original is not None
    assert prepared.pixels.shape == (48, 32, 3)
    assert np.array_equal(open_image(prepared.original.data), image)


def test_what_was_prepared_is_taken_as_it_is(key: KeyEntry, noise: Noise) -> None:
    prepared = prepare_picture(noise(1), key.parameters)
    assert prepare_picture(prepared, key.parameters) is prepared


def test_what_is_no_picture(key: KeyEntry, tmp_path: Path) -> None:
    with pytest.raises(ImageError):
        prepare_picture(b"not a picture", key.parameters)
    with pytest.raises(FileNotFoundError):
        prepare_picture(tmp_path / "absent.png", key.parameters)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "F"])
def test_every_mode_becomes_a_png(mode: str, noise: Noise) -> None:
    image = noise(1).convert("RGB").convert("L" if mode in {"LA", "F"} else "RGB").convert(mode)
    assert open_image(png_bytes(image)).size == image.size


def test_without_places_nothing_is_sealed(key: KeyEntry, noise: Noise) -> None:
    prepared = [prepare_picture(noise(number), key.parameters) for number in range(3)]
    cipher = ImageCipher(key)
    plain = encrypt_pictures(prepared, key, cipher)
    assert [each.sealed_original for each in plain] == [b""] * 3
    sealed = encrypt_pictures(prepared, key, cipher, [LOCAL_PLACE] * 3)
    assert all(each.size_bytes > 32 * 48 * 3 + 1000 for each in sealed)
    for each, picture in zip(sealed, prepared, strict=True):
        assert np.array_equal(cipher.decrypt_image(each.cipher_image), picture.pixels)
