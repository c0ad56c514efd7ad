"""Drawings: the part of them that can be seen, and whether two look alike."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

FAINT_ALPHA = 8  # shadows below this cannot be seen, but would keep wide margins alive


def without_margins(image: Image.Image) -> Image.Image:
    """Return the drawing on white, as RGB, without its transparent margins.

    A margin that is opaque white stays: it may be the stripe of a flag.

    Raises:
        ValueError: the drawing is transparent all over.
    """
    layer = image.convert("RGBA")
    visible = layer.getchannel("A").point(lambda alpha: 255 if alpha > FAINT_ALPHA else 0)
    box = visible.getbbox()
    if box is None:
        raise ValueError("the drawing is transparent all over")
    layer = layer.crop(box)
    white = Image.new("RGBA", layer.size, "white")
    white.alpha_composite(layer)
    return white.convert("RGB")


def difference_hash(image: Image.Image) -> int:
    """Return 64 bits: whether each cell of an 8x8 grid is darker than its right neighbour.

    Two drawings whose hashes differ in few bits look like one drawn twice.
    """
    grey = image.convert("RGB").convert("L").resize((9, 8), Image.Resampling.BOX)
    cells: npt.NDArray[np.uint8] = np.asarray(grey)
    return int.from_bytes(np.packbits(cells[:, 1:] > cells[:, :-1]).tobytes(), "big")


def is_near(found: int, others: Iterable[int], bits: int) -> bool:
    """Return whether a hash differs from one of the others in at most `bits` bits."""
    return any((found ^ other).bit_count() <= bits for other in others)
