"""What ranks pictures without any learning: what a network must beat to be worth its while."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize, unfold

from cipherlens.model.data.images import Pixels, PreparedImages, by_shape

Describe = Callable[[Pixels], Tensor]
"""Maps (n, h, w, 3) uint8 pictures of one orientation to (n, dim), which cosines compare."""

BATCH = 64
LEVELS = 4  # of a channel in the colour histogram
DIRECTIONS = 9
CELLS = 8
CLIP = 0.2  # of a block of cells, as Dalal and Triggs have it


def colour_histogram(pixels: Pixels) -> Tensor:
    """Return the square roots of the shares of 64 colours: their cosine is Bhattacharyya's."""
    levels = torch.from_numpy(pixels // (256 // LEVELS)).long()
    colours = (levels * torch.tensor([LEVELS**2, LEVELS, 1])).sum(dim=3).flatten(1)
    counts = torch.zeros(len(pixels), LEVELS**3)
    return counts.scatter_add_(1, colours, torch.ones(colours.shape)).sqrt()


def gradient_histogram(pixels: Pixels) -> Tensor:
    """Return how much of the picture's gradient lies in each of nine directions."""
    return _directions(pixels).mean(dim=(2, 3))


def gradient_histograms(pixels: Pixels) -> Tensor:
    """Return histograms of oriented gradients (Dalal and Triggs 2005) on 8 x 8 cells.

    Four neighbouring cells make a block, which is brought to unit length, clipped and brought to
    unit length again. Portraits have as many cells as landscapes, of another shape.
    """
    cells = adaptive_avg_pool2d(_directions(pixels), CELLS)
    blocks = unfold(cells, 2).transpose(1, 2)
    clipped = normalize(blocks, dim=2, eps=1e-3).clamp(max=CLIP)
    return normalize(clipped, dim=2, eps=1e-3).flatten(1)


PLAIN: Mapping[str, Describe] = {
    "colour histogram of the plain pictures": colour_histogram,
    "gradients in cells of the plain pictures (HOG)": gradient_histograms,
}
"""What is made of plain pictures, by name."""

CIPHER: Mapping[str, Describe] = {"gradient histogram of the cipher-images": gradient_histogram}
"""What is made of cipher-images, by name."""


def described(describe: Describe, images: PreparedImages) -> NDArray[np.float32]:
    """Return (n, dim) float32 unit vectors of pictures of either orientation."""
    parts = [
        (positions, normalize(describe(pixels)).numpy())
        for positions, pixels in by_shape(images.images, BATCH)
    ]
    order = np.argsort(np.concatenate([positions for positions, _ in parts]))
    found: NDArray[np.float32] = np.concatenate([vectors for _, vectors in parts])[order]
    return found


def _directions(pixels: Pixels) -> Tensor:
    """Return (n, 9, h, w): each pixel's gradient of grey, parted between the nearest two."""
    grey = torch.from_numpy(pixels).float().mean(dim=3)
    down, along = torch.gradient(grey, dim=(1, 2))
    place = torch.atan2(down, along).remainder(torch.pi) * (DIRECTIONS / torch.pi)
    numbers = torch.arange(DIRECTIONS).view(1, -1, 1, 1)
    distance = (place[:, None] - numbers).remainder(DIRECTIONS)
    nearness = (1 - torch.minimum(distance, DIRECTIONS - distance)).clamp(min=0)
    return nearness * torch.hypot(down, along)[:, None]
