import numpy as np
import pytest
import torch

from cipherlens.model.data.images import PreparedImages
from cipherlens.model.evaluation.baselines import (
    colour_histogram,
    described,
    gradient_histogram,
    gradient_histograms,
)


def stripes(angle: float, height: int = 32, width: int = 48) -> np.ndarray:
    """Return one picture whose grey changes along a direction."""
    y, x = np.mgrid[0:height, 0:width]
    wave = 127 + 100 * np.sin((x * np.cos(angle) + y * np.sin(angle)) / 3)
    return np.repeat(wave.astype(np.uint8)[None, :, :, None], 3, axis=3)


def test_colours_are_counted() -> None:
    pixels = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    pixels[0, 0, 0] = (255, 0, 130)
    found = colour_histogram(pixels)[0]
    assert found[0] == pytest.approx(3**0.5)
    assert found[3 * 16 + 2] == 1
    assert float(found.square().sum()) == pytest.approx(4)


@pytest.mark.parametrize("direction", range(9))
def test_a_gradient_falls_into_its_direction(direction: int) -> None:
    found = gradient_histogram(stripes(direction * np.pi / 9))[0]
    assert int(found.argmax()) == direction


def test_cells_tell_where_a_gradient_is() -> None:
    left, right = np.zeros((2, 1, 32, 48, 3), dtype=np.uint8)
    left[:, :, :24], right[:, :, 24:] = stripes(0)[:, :, :24], stripes(0)[:, :, 24:]
    both = gradient_histograms(np.concatenate([left, right]))
    assert both.shape == (2, 7 * 7 * 4 * 9)
    assert float(torch.nn.functional.cosine_similarity(*both, dim=0)) < 0.6
    whole = gradient_histogram(np.concatenate([left, right]))
    assert float(torch.nn.functional.cosine_similarity(*whole, dim=0)) > 0.99


def test_rows_come_in_the_order_of_the_pictures(data: PreparedImages) -> None:
    found = described(colour_histogram, data)
    assert found.shape == (len(data), 64)
    for row, image in zip(found, data.images, strict=True):
        alone = torch.nn.functional.normalize(colour_histogram(image[None]))[0].numpy()
        np.testing.assert_allclose(row, alone, atol=1e-6)
