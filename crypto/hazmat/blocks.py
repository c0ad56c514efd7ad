"""Block permutation and colour substitution on arrays of pixels (E2E section II-A).

A block is never cut out as a square. An image is a raster of row segments, each one block wide
and one pixel high, and a block is the `block_size` segments that stand under each other. So both
permutation and selection are one gather of contiguous pieces of memory.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from cipherlens.crypto.hazmat.schedule import COLOUR_LEVELS
from cipherlens.crypto.hazmat.sequences import Sequences
from cipherlens.crypto.parameters import CHANNELS

Pixels = npt.NDArray[np.uint8]
Order = npt.NDArray[np.intp]


def encrypt_blocks(images: Pixels, sequences: Sequences, block_size: int) -> Pixels:
    """Return the cipher-images of prepared images.

    Args:
        images: (n, height, width, 3) uint8; both sides multiples of block_size.
        sequences: one set for all, or one for each image.
        block_size: side of a block in pixels.

    Returns:
        (n, height, width, 3) uint8, a new array.

    Raises:
        TypeError, ValueError: the arrays do not fit each other.
    """
    segments = _segments(images, sequences, block_size)
    layout = _layout(images.shape[1], images.shape[2], block_size)
    result = _permute(segments, layout, sequences.permutation)
    _substitute(result, layout, sequences.selection, sequences.tables)
    return result.reshape(images.shape)


def decrypt_blocks(pixels: Pixels, sequences: Sequences, block_size: int) -> Pixels:
    """Return the prepared images of cipher-images, byte for byte; undoes `encrypt_blocks`.

    Arguments, result and errors are those of `encrypt_blocks`.
    """
    segments = _segments(pixels, sequences, block_size)
    layout = _layout(pixels.shape[1], pixels.shape[2], block_size)
    result = _permute(segments, layout, np.argsort(sequences.permutation, axis=1))
    # Blocks are back at home by now, so the selected positions are those that they came from.
    origins = np.take_along_axis(sequences.permutation, sequences.selection, axis=1)
    _substitute(result, layout, origins, sequences.inverse_tables())
    return result.reshape(pixels.shape)


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the blocks of an image lie.

    Attributes:
        segments: (blknum, block_size); the numbers of every block's segments, top to bottom.
        order: (segments,); for every segment in raster order its place in `segments`, flattened.
    """

    segments: Order
    order: Order


@lru_cache(maxsize=64)
def _layout(height: int, width: int, block_size: int) -> _Layout:
    """Return the layout of an image; the arrays are shared, so they cannot be written to."""
    across = width // block_size
    numbers = np.arange(height * across, dtype=np.intp)
    rows = numbers.reshape(height // block_size, block_size, across)
    segments = np.ascontiguousarray(rows.transpose(0, 2, 1)).reshape(-1, block_size)
    order = np.argsort(segments, axis=None)
    segments.flags.writeable = order.flags.writeable = False
    return _Layout(segments, order)


def _segments(images: Pixels, sequences: Sequences, block_size: int) -> Pixels:
    """Return images as (n, segments, 3 * block_size), after checking that all shapes agree."""
    if images.dtype != np.uint8:
        raise TypeError(f"images must be uint8, got {images.dtype}")
    if images.ndim != 4 or images.shape[3] != CHANNELS:
        raise ValueError(f"images must be (n, height, width, 3), got {images.shape}")
    count, height, width, _ = images.shape
    if height % block_size or width % block_size:
        raise ValueError(f"both sides must be multiples of {block_size}, got {height}x{width}")
    blknum = (height // block_size) * (width // block_size)
    if sequences.permutation.shape[1] != blknum:
        raise ValueError(f"sequences must be for {blknum} blocks, got {sequences!r}")
    if len(sequences) not in {1, count}:
        raise ValueError(f"there must be 1 or {count} sets of sequences, got {len(sequences)}")
    per_image = height * (width // block_size)
    return np.ascontiguousarray(images).reshape(count, per_image, CHANNELS * block_size)


def _permute(segments: Pixels, layout: _Layout, permutation: Order) -> Pixels:
    """Return a new array of segments where block i is the old block permutation[i] (eq. 1)."""
    sets = len(permutation)
    by_block = layout.segments.take(permutation, axis=0).reshape(sets, layout.order.size)
    source = by_block.take(layout.order, axis=1)
    if sets == 1:
        shared: Pixels = segments.take(source[0], axis=1)
        return shared
    count, per_image, size = segments.shape
    offsets = np.arange(count, dtype=np.intp)[:, None] * per_image
    permuted: Pixels = segments.reshape(-1, size).take(source + offsets, axis=0)
    return permuted


def _substitute(segments: Pixels, layout: _Layout, selection: Order, tables: Pixels) -> None:
    """Replace the colours of the selected blocks in place, one table per channel (eq. 2)."""
    count, _, size = segments.shape
    block_size = size // CHANNELS
    # Each pixel looks into the three tables laid end to end; 16-bit sums keep the memory small.
    channel = (np.arange(size) % CHANNELS * COLOUR_LEVELS).astype(np.uint16)
    piece = np.dtype((np.void, size))  # NumPy moves a whole segment as one item of this type
    pieces = segments.view(piece)
    sets, selected = selection.shape
    rows = layout.segments.take(selection, axis=0).reshape(sets, selected * block_size)
    flat_tables = tables.reshape(sets, CHANNELS * COLOUR_LEVELS)
    for number in range(count):
        own = number if sets > 1 else 0
        colours = segments[number].take(rows[own], axis=0)
        substituted = flat_tables[own].take(colours + channel)
        pieces[number][rows[own]] = substituted.view(piece)
