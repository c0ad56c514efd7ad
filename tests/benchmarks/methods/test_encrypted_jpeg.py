import io

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dctn

from benchmarks.methods.encrypted_jpeg import (
    ZIGZAG,
    coefficients,
    compressed,
    quantisation,
    rewritten,
)


def test_zigzag_is_the_standards() -> None:
    assert ZIGZAG[:10].tolist() == [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]
    assert ZIGZAG[-3:].tolist() == [55, 62, 63]
    assert sorted(ZIGZAG) == list(range(64))


def test_coefficients_are_those_of_the_pixels(pixels) -> None:
    found = coefficients(compressed(pixels, 75))
    assert found.shape == (6, 3, 96, 64)
    luma = np.asarray(Image.fromarray(pixels[2]).convert("YCbCr"))[..., 0] - 128.0
    blocks = luma.reshape(8, 8, 12, 8).swapaxes(1, 2).reshape(96, 8, 8)
    expected = dctn(blocks, axes=(1, 2), norm="ortho") / quantisation(75)[0]
    errors = np.abs(found[2, 0] - expected.reshape(96, 64)[:, ZIGZAG])
    # Half a step is rounding; a pixel's Y, whose rounding the libraries do not share, is the rest.
    assert errors.mean() < 0.25
    assert errors.max() < 2


def test_what_is_rewritten_is_a_picture_that_reads_the_same(pixels) -> None:
    plain = compressed(pixels, 60)
    held = coefficients(plain)
    again = rewritten(held, 64, 96, 60)
    assert (coefficients(again) == held).all()
    for one, other in zip(plain, again, strict=True):
        assert (np.asarray(_opened(one)) == np.asarray(_opened(other))).all()


def test_large_coefficients_are_written(pixels) -> None:
    held = np.zeros((1, 3, 96, 64), np.int16)
    held[0, :, ::2, 0], held[0, :, :, 5] = 2047, -1023
    assert (coefficients(rewritten(held, 64, 96, 75)) == held).all()


@pytest.mark.parametrize("quality", [10, 95])
def test_quantisation_is_the_librarys(quality, pixels) -> None:
    tables = _opened(compressed(pixels[:1], quality)[0]).quantization
    assert (quantisation(quality).reshape(2, 64) == [tables[0], tables[1]]).all()


def _opened(file: bytes) -> Image.Image:
    return Image.open(io.BytesIO(file))
