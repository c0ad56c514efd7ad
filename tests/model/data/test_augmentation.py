import numpy as np
import pytest

from cipherlens.model.config import AugmentationConfig
from cipherlens.model.data.augmentation import Pixels, _recoloured, augment


@pytest.fixture
def images() -> Pixels:
    ramp = np.linspace(20, 200, 24)[None, :, None] + np.linspace(0, 40, 16)[:, None, None]
    image = ramp * np.array([1.0, 0.8, 0.6])
    return np.stack([image] * 12).astype(np.uint8)


def test_the_defaults_change_nothing(images: Pixels) -> None:
    changed = augment(images, AugmentationConfig(), np.random.default_rng(0))
    assert np.array_equal(changed, images)
    assert changed is not images


def test_flips_mirror_left_and_right(images: Pixels) -> None:
    changed = augment(images, AugmentationConfig(flip=1), np.random.default_rng(0))
    assert np.array_equal(changed, images[:, :, ::-1])
    some = augment(images, AugmentationConfig(flip=0.5), np.random.default_rng(0))
    flipped = [np.array_equal(each, images[0, :, ::-1]) for each in some]
    assert any(flipped)
    assert not all(flipped)


def test_crops_keep_shape_and_gradient(images: Pixels) -> None:
    changed = augment(images, AugmentationConfig(min_area=0.3), np.random.default_rng(0))
    assert changed.shape == images.shape
    assert changed.dtype == np.uint8
    span = changed[:, 8, -1, 0].astype(int) - changed[:, 8, 0, 0]
    whole = int(images[0, 8, -1, 0]) - int(images[0, 8, 0, 0])
    assert (span > 0).all()
    assert (span <= whole + 1).all()
    assert span.min() < 0.8 * whole


def test_jitter_changes_each_image_in_its_own_way(images: Pixels) -> None:
    changed = augment(images, AugmentationConfig(jitter=0.3), np.random.default_rng(0))
    means = changed.mean(axis=(1, 2, 3))
    assert len(np.unique(means.round(3))) == len(images)
    assert (np.abs(means / images[0].mean() - 1) <= 0.31).all()


def test_jitter_scales_brightness_then_contrast_then_saturation() -> None:
    image = np.random.default_rng(3).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    brightness, contrast, saturation = factors = np.random.default_rng(7).uniform(0.7, 1.3, 3)
    values = image * brightness
    values = values.mean() + (values - values.mean()) * contrast
    grey = values.mean(axis=2, keepdims=True)
    values = grey + (values - grey) * saturation
    assert np.array_equal(_recoloured(image, *factors), np.clip(np.rint(values), 0, 255))


def test_the_seed_decides(images: Pixels) -> None:
    before = images.copy()
    config = AugmentationConfig(flip=0.5, min_area=0.5, jitter=0.2)
    one, again, other = (augment(images, config, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert np.array_equal(images, before)
