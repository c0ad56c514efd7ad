"""Which block stood beside which, guessed from their borders.

A permutation of whole blocks leaves a block's border pixels as they are, and what stood side by
side in the picture mostly goes on across the border. The guess is a jigsaw solver's first step
(Pomeranz et al. 2011): the distance of two borders, both ways compared with all the other blocks.
"""

from collections.abc import Callable

import torch
from torch import Tensor

EPSILON = 1e-3
"""Added to the mean squared difference of borders, of pixels in [-1, 1]: half a level squared."""

NEVER = 60.0
"""Stands for an infinite distance: finite, so that the gradient of the sharpness is a number."""

Weights = Callable[[Tensor], Tensor]
"""Maps a sharpness, (), to (n, blocks, blocks) weights of pairs."""


def likely_neighbours(blocks: Tensor, images: int) -> tuple[Weights, Weights]:
    """Return how likely block j stood on the right of block i, and below it.

    Args:
        blocks: (images * blknum, 3, side, side) pixels, image after image.
        images: their number n.

    Returns:
        two functions of a sharpness; row i of their weights tells of the blocks beside block i. A
        weight is at most 1 and reaches it where each of the two is the other's only candidate.
    """
    sides = blocks[..., -1], blocks[..., 0], blocks[..., -1, :], blocks[..., 0, :]
    last, first, bottom, top = (side.reshape(images, -1, side[0].numel()) for side in sides)
    return _mutual(_closeness(last, first)), _mutual(_closeness(bottom, top))


def _closeness(borders: Tensor, others: Tensor) -> Tensor:
    """Return minus the log of the mean squared difference of all pairs, a block never itself."""
    with torch.autocast(borders.device.type, enabled=False):
        squares = torch.cdist(borders.float(), others.float()).square() / borders.shape[2]
    own = torch.eye(borders.shape[1], dtype=torch.bool, device=borders.device)
    return squares.add(EPSILON).log().masked_fill(own, NEVER).neg()


def _mutual(closeness: Tensor) -> Weights:
    """Return the weights of pairs: the geometric mean of both blocks' softmax over the others."""

    def weights(sharpness: Tensor) -> Tensor:
        scores = sharpness * closeness
        return ((scores.log_softmax(dim=2) + scores.log_softmax(dim=1)) / 2).exp()

    return weights
