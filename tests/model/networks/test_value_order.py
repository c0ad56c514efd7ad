"""Neighbours tell the order of values under any colour table."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from cipherlens.crypto import CipherParameters, Scope
from cipherlens.crypto.hazmat import Sequences, encrypt_blocks
from cipherlens.model.networks.value_order import value_order


def slopes(count: int = 4) -> np.ndarray:
    """Return (count, 32, 32, 3) grey pictures: a bright bump on a black ground."""
    rows, columns = np.mgrid[:32, :32]
    found = []
    for each in range(count):
        distance = np.hypot(rows - 12 - each, columns - 14 + each)
        found.append(np.clip(200 - 16 * distance, 0, 255).astype(np.uint8))
    return np.repeat(np.stack(found)[..., None], 3, axis=3)


def encrypted(images: np.ndarray, substituted: int) -> np.ndarray:
    parameters = CipherParameters(
        height=32, width=32, block_size=8, substituted_blocks=substituted, scope=Scope.IMAGE
    )
    sequences = Sequences.random(np.random.default_rng(5), parameters, len(images))
    return encrypt_blocks(images, sequences, 8)


def marks(images: np.ndarray) -> torch.Tensor:
    """Return (n, 3, blocks, 8, 8) marks."""
    values = torch.from_numpy(images).permute(0, 3, 1, 2).long()
    return value_order(values, 8).view(len(images), 16, 3, 8, 8).transpose(1, 2)


def blocks(images: np.ndarray) -> np.ndarray:
    return images[..., 1].reshape(-1, 4, 8, 4, 8).swapaxes(2, 3).reshape(-1, 16, 8, 8)


def test_no_table_hides_how_bright_a_value_is() -> None:
    images = slopes()
    for channel in (0, 1):
        for found, plain in zip(marks(images)[:, channel], blocks(images), strict=True):
            assert spearmanr(found.flatten(), plain.flatten()).statistic < -0.95
    hidden = marks(encrypted(images, 16))
    for one, other in zip(hidden[:, :2], marks(images)[:, :2], strict=True):
        for here, there in zip(one, other, strict=True):
            np.testing.assert_allclose(np.sort(here.flatten()), np.sort(there.flatten()), atol=1e-5)


def test_blocks_that_kept_their_colours_are_sorted_apart() -> None:
    found = marks(encrypted(slopes(), 4))
    coloured = found[:, 2].flatten(2)
    assert (coloured.mean(dim=2) > 0.9).sum(dim=1).tolist() == [4] * 4
    assert (coloured.mean(dim=2) == 0).sum(dim=1).tolist() == [12] * 4
    for image in found:
        for kind in (0, 1):
            places = image[1][image[2] == kind]
            assert abs(float(places.mean())) < 0.5
            assert float(image[0][image[2] == kind].max()) == 1


def test_marks_move_with_their_blocks() -> None:
    images = slopes()
    for here, there in zip(marks(images), marks(encrypted(images, 0)), strict=True):
        one, other = (each.flatten(2)[0].sort(dim=0).values for each in (here, there))
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("value", [0, 255])
def test_a_picture_of_one_value_has_an_order_too(value: int) -> None:
    found = marks(np.full((1, 32, 32, 3), value, dtype=np.uint8))
    assert found.isfinite().all()
    assert found[:, 0].unique().tolist() == [1]
    assert found[:, 1].unique().tolist() == [0]
