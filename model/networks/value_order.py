"""What a colour table does not hide: how bright a value is, by the values that stand beside it."""

import torch
from torch import Tensor

from cipherlens.model.networks.block_marks import LEVELS, blocks_of

ORDER_CHANNELS = 3
KINDS = 2  # grey pixels and coloured ones: a grey picture has them of two tables
ROUNDS = 5
"""Steps of the walk: more sort the values that occur once, and mix up those that occur often."""

FURTHEST = 3.0
ALIKE = 1e-3


def value_order(values: Tensor, side: int) -> Tensor:
    """Return where each pixel's value lies between the most frequent and the least like it.

    Pixels beside each other in a block have like values, under any table. So values are sorted by
    a walk over who stands beside whom, which starts at the most frequent one: of pictures on a
    plain ground that is the ground, dark or bright. Pixels with equal values in all channels are
    sorted apart from others: those of a grey picture's blocks that have kept their colours.

    Args:
        values: (n, 3, h, w) int64 from 0 to 255; the second channel is sorted.
        side: of the blocks; nothing crosses the border of one.

    Returns:
        (n * blocks, 3, side, side) float32, the blocks in raster order: the rank among the values
        of the image, from 1 for the most frequent to -1, the place, within +-3 spreads, and 1 for
        a coloured pixel.
    """
    nodes = blocks_of(_nodes(values), side).view(len(values), -1, side, side)
    flat = nodes.flatten(1)
    weights = _sums(flat, _beside(torch.ones_like(nodes, dtype=torch.float32)))
    places = _standardised(_most_frequent(weights), weights)
    for _ in range(ROUNDS):
        around = _beside(places.gather(1, flat).view(nodes.shape))
        walked = _sums(flat, around) / weights.clamp(min=1)
        places = _standardised((places + walked) / 2, weights)
    found = (_ranks(places, weights), places.clamp(-FURTHEST, FURTHEST))
    marks = [*(each.gather(1, flat).view(nodes.shape) for each in found), (nodes >= LEVELS).float()]
    return torch.stack(marks, dim=2).flatten(0, 1)


def _nodes(values: Tensor) -> Tensor:
    """Return (n, 1, h, w): the second channel's value, those of coloured pixels after the grey."""
    coloured = (values[:, 1:] != values[:, :1]).any(dim=1, keepdim=True)
    return values[:, 1:2] + LEVELS * coloured


def _beside(maps: Tensor) -> Tensor:
    """Return (n, blocks, pixels): the sum over the pixels beside each one in its block."""
    total = torch.zeros_like(maps)
    total[..., 1:] += maps[..., :-1]
    total[..., :-1] += maps[..., 1:]
    total[..., 1:, :] += maps[..., :-1, :]
    total[..., :-1, :] += maps[..., 1:, :]
    return total


def _sums(flat: Tensor, maps: Tensor) -> Tensor:
    """Return (n, nodes): what the pixels of each node have in sum."""
    total = maps.new_zeros(len(flat), KINDS * LEVELS)
    return total.scatter_add(1, flat, maps.flatten(1))


def _most_frequent(weights: Tensor) -> Tensor:
    """Return (n, nodes): 1 at the heaviest node of either kind, 0 elsewhere."""
    kinds = weights.view(len(weights), KINDS, LEVELS)
    return torch.zeros_like(kinds).scatter(2, kinds.argmax(dim=2, keepdim=True), 1).flatten(1)


def _standardised(places: Tensor, weights: Tensor) -> Tensor:
    """Return the places with mean 0 and spread 1 over the pixels of each kind, 0 without spread."""
    kinds, heavy = (each.view(len(each), KINDS, LEVELS) for each in (places, weights))
    total = heavy.sum(dim=2, keepdim=True).clamp(min=1)
    centred = kinds - (kinds * heavy).sum(dim=2, keepdim=True) / total
    spread = ((centred.square() * heavy).sum(dim=2, keepdim=True) / total).sqrt()
    found = torch.where(spread > 1e-5, centred / spread.clamp(min=1e-5), 0)
    return found.flatten(1)


def _ranks(places: Tensor, weights: Tensor) -> Tensor:
    """Return (n, nodes) ranks among the values that occur, from 1 for the first place to -1.

    Values of one place, but for what is rounded off, share the middle of their ranks: which of
    them comes first would be the table's matter.
    """
    kinds, heavy = (each.view(len(each), KINDS, LEVELS) for each in (places, weights))
    apart = (-kinds / ALIKE).round().masked_fill(heavy == 0, torch.inf)
    ordered = apart.sort(dim=2).values
    before = torch.searchsorted(ordered, apart)
    through = torch.searchsorted(ordered, apart, right=True)
    last = (heavy > 0).sum(dim=2, keepdim=True).clamp(min=2) - 1
    return (1 - (before + through - 1) / last).flatten(1)
