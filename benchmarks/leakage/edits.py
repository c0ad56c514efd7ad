"""What becomes of a picture on its way: it is saved again, cut, moved, brightened."""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

from benchmarks.leakage.blocks import Pixels

Edit = Callable[[Pixels], Pixels]
"""Maps a (height, width, 3) picture to another of its shape."""


def edits(block_size: int) -> dict[str, Edit]:
    """Return the edits by their names in the tables."""
    return {
        "the same": lambda picture: picture,
        "one pixel changed": _one_pixel,
        "JPEG 90": lambda picture: _saved(picture, 90),
        "JPEG 50": lambda picture: _saved(picture, 50),
        "brighter by 1/10": _brighter,
        "moved by a block": lambda picture: _moved(picture, block_size),
        "moved by 3 pixels": lambda picture: _moved(picture, 3),
        "cut to 9/10": _cut,
    }


def _one_pixel(picture: Pixels) -> Pixels:
    changed = picture.copy()
    middle = (picture.shape[0] // 2, picture.shape[1] // 2)
    changed[middle] = 255 - changed[middle]
    return changed


def _saved(picture: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _brighter(picture: Pixels) -> Pixels:
    return np.minimum(picture.astype(np.float64) * 1.1, 255).astype(np.uint8)


def _moved(picture: Pixels, pixels: int) -> Pixels:
    """Return it moved to the left; the last column fills the gap."""
    gap = np.repeat(picture[:, -1:], pixels, axis=1)
    return np.concatenate([picture[:, pixels:], gap], axis=1)


def _cut(picture: Pixels) -> Pixels:
    """Return the middle nine tenths of each side, at the size of the whole."""
    height, width, _ = picture.shape
    top, left = height // 20, width // 20
    middle = Image.fromarray(picture[top : height - top, left : width - left])
    return np.asarray(middle.resize((width, height), Image.Resampling.BICUBIC))
