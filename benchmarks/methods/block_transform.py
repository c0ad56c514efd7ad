"""Transforms of blocks of 8x8 that are no part of a JPEG library: the DCT and orthogonal kin of it.

Colours are JPEG's own Y, Cb and Cr, and steps of quantisation those of a JPEG quality.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.methods.encrypted_jpeg import SIDE, ZIGZAG, quantisation
from cipherlens.model.data.encryption import Pixels

Transform = NDArray[np.float64]
"""(8, 8) orthogonal: a row for each frequency."""


def _dct() -> Transform:
    frequency, place = np.mgrid[:SIDE, :SIDE]
    rows: Transform = np.cos(np.pi * (2 * place + 1) * frequency / (2 * SIDE)) / 2
    rows[0] /= np.sqrt(2)
    return rows


DCT = _dct()


def sign_changed(signs: NDArray[np.integer]) -> Transform:
    """Return the DCT with the four differences of its first butterfly changed in sign.

    The first step of a fast DCT makes sums and differences of mirrored samples; rows of even
    frequency are of sums, those of odd frequency of differences. `signs` are (..., 4) of 1 and -1,
    and each gives an orthogonal transform, (..., 8, 8), whose rows of even frequency are the DCT's.
    """
    changed = np.broadcast_to(DCT, (*signs.shape[:-1], SIDE, SIDE)).copy()
    both = np.concatenate([signs, signs[..., ::-1]], axis=-1)
    changed[..., 1::2, :] *= both[..., None, :]
    return changed


def ycbcr(pixels: Pixels) -> Pixels:
    """Return (n, 3, h, w) uint8 of (n, h, w, 3) RGB."""
    held = [np.asarray(Image.fromarray(each).convert("YCbCr")) for each in pixels]
    return np.moveaxis(np.stack(held), -1, 1)


def quantised(
    planes: Pixels, down: Transform, across: Transform, quality: int, *, chroma: bool
) -> NDArray[np.int16]:
    """Return the quantised coefficients, (n, blocks, 64) in zigzag order, of (n, h, w) planes.

    `down` and `across` are one transform, or one of each block, (n, blocks, 8, 8).
    """
    pictures, height, width = planes.shape
    shape = (pictures, height // SIDE, SIDE, width // SIDE, SIDE)
    blocks = planes.reshape(shape).swapaxes(2, 3).reshape(pictures, -1, SIDE, SIDE) - 128.0
    transformed = down @ blocks @ np.swapaxes(across, -1, -2)
    steps = quantisation(quality)[int(chroma)]
    found: NDArray[np.int16] = np.rint(transformed / steps).astype(np.int16)
    return found.reshape(pictures, -1, SIDE * SIDE)[..., ZIGZAG]
