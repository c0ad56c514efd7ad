"""Random changes of plain training images, made before encryption."""

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cipherlens.model.config import AugmentationConfig

Pixels = NDArray[np.uint8]

MAX_STRETCH = 4 / 3  # of a crop's sides, the range that ImageNet training made customary


def augment(images: Pixels, config: AugmentationConfig, generator: np.random.Generator) -> Pixels:
    """Return a changed copy of (n, h, w, 3) uint8 images, each with changes of its own."""
    flipped = generator.random(len(images)) < config.flip
    changed = images.copy()
    changed[flipped] = changed[flipped, :, ::-1]
    if config.min_area < 1:
        changed = np.stack([_random_crop(each, config.min_area, generator) for each in changed])
    if config.jitter > 0:
        changed = _jitter(changed, config.jitter, generator)
    return changed


def _random_crop(image: Pixels, min_area: float, generator: np.random.Generator) -> Pixels:
    """Return a random part of an (h, w, 3) image, scaled to the size of the whole."""
    height, width = image.shape[:2]
    side = math.sqrt(generator.uniform(min_area, 1))
    stretch = math.exp(generator.uniform(-0.5, 0.5) * math.log(MAX_STRETCH))
    part_width, part_height = width * min(1, side * stretch), height * min(1, side / stretch)
    left = generator.uniform(0, width - part_width)
    top = generator.uniform(0, height - part_height)
    box = (left, top, left + part_width, top + part_height)
    picture = Image.fromarray(image)
    part: Pixels = np.array(picture.resize((width, height), Image.Resampling.BILINEAR, box=box))
    return part


def _jitter(images: Pixels, strength: float, generator: np.random.Generator) -> Pixels:
    """Return images with brightness, contrast and saturation scaled by up to 1 +- strength."""
    factors = generator.uniform(1 - strength, 1 + strength, (3, len(images)))
    pairs = zip(images, factors.T, strict=True)
    return np.stack([_recoloured(image, *map(float, each)) for image, each in pairs])


def _recoloured(image: Pixels, brightness: float, contrast: float, saturation: float) -> Pixels:
    """Return an (h, w, 3) image with these factors, contrast about its mean, saturation about grey.

    The three make one linear map of a pixel's colours, which costs one pass over the image.
    """
    to_grey = np.full((3, 3), 1 / 3)
    colours = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * to_grey)
    shift = brightness * (1 - contrast) * image.mean()
    values = image.reshape(-1, 3).astype(np.float32) @ colours.astype(np.float32)
    values += np.float32(shift)
    changed: Pixels = np.rint(values, out=values).clip(0, 255, out=values).astype(np.uint8)
    return changed.reshape(image.shape)
