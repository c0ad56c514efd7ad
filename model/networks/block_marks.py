"""Blocks of pictures, and marks of equal values in them that no colour table changes."""

import math

import torch
from torch import Tensor, nn

LEVELS = 256


def blocks_of(maps: Tensor, side: int) -> Tensor:
    """Return (n, c, h, w) maps as (n * blocks, c, side, side), the blocks in raster order."""
    n, channels, height, width = maps.shape
    tiles = maps.view(n, channels, height // side, side, width // side, side)
    return tiles.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, side, side)


def same_as_next(values: Tensor, *, dim: int) -> Tensor:
    """Return 1 where a value equals the next one along dim, else 0; 0 at the end."""
    length = values.shape[dim]
    equal = values.narrow(dim, 1, length - 1) == values.narrow(dim, 0, length - 1)
    pad = (0, 1) if dim == 3 else (0, 0, 0, 1)
    return nn.functional.pad(equal.float(), pad)


def log_share(values: Tensor) -> Tensor:
    """Return how often each value occurs in its map: log(count) / log(pixels), in [0, 1].

    Args:
        values: (n, c, h, w) int64 from 0 to 255.
    """
    flat = values.flatten(2)
    counts = flat.new_zeros((*flat.shape[:2], LEVELS), dtype=torch.float32)
    counts.scatter_add_(2, flat, torch.ones_like(flat, dtype=torch.float32))
    share = counts.gather(2, flat).log() / math.log(max(flat.shape[2], 2))
    return share.view_as(values)
