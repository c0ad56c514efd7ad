"""The tokens of a network of any key: a block by itself, and what a colour table leaves of it."""

import math
from typing import Any

import torch
from torch import Tensor, nn

LEVELS = 256
CHANNELS = 32
LAST_SIDE = 4  # a block is narrowed to at most this many positions per side


class BlockEmbedding(nn.Module):
    """Small convolutions inside every block, over its pixels and marks of equal pixels.

    A colour substitution maps equal values to equal values and nothing else stays. So each pixel
    also comes with marks that no table changes: whether it equals its neighbour on the right and
    the one below, and how often its value occurs in its block and in the image. Nothing crosses
    the border of a block, and a block's token does not depend on where the block stands, as the
    keyed order is another in every image.

    `residual` adds convolutions of the block's full size and, at every size, a residual block of
    two: it costs three times as much and finds more.

    It takes the arguments by which timm's VisionTransformer makes its `embed_layer`.
    """

    def __init__(
        self,
        img_size: tuple[int, int],
        patch_size: int,
        in_chans: int = 3,
        embed_dim: int = 768,
        *,
        residual: bool = False,
        **_ignored: Any,
    ) -> None:
        """Build the layers with fresh random weights from torch's global generator."""
        super().__init__()
        self.patch_size = (patch_size, patch_size)
        self.grid_size = (img_size[0] // patch_size, img_size[1] // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        layers: list[nn.Module] = []
        side, channels, wider = patch_size, 5 * in_chans, CHANNELS
        stride = 1 if residual else 2
        while side > LAST_SIDE or stride == 1:
            layers.append(nn.Conv2d(channels, wider, 3, stride=stride, padding=1))
            layers += [_ResidualBlock(wider), nn.GELU()] if residual else [nn.GELU()]
            side, channels, wider = (side - 1) // stride + 1, wider, 2 * wider
            stride = 2
        layers += [nn.Flatten(), nn.Linear(channels * side**2, embed_dim), nn.LayerNorm(embed_dim)]
        self.layers = nn.Sequential(*layers)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return tokens, (n, blocks, dim), of (n, 3, h, w) from `to_input`, in raster order."""
        values = pixels.add(1).mul(127.5).round().clamp(0, LEVELS - 1).long()
        features = blocks_of(torch.cat([pixels, log_share(values)], dim=1), self.patch_size[0])
        blocks = blocks_of(values, self.patch_size[0])
        marks = [same_as_next(blocks, dim=3), same_as_next(blocks, dim=2), log_share(blocks)]
        tokens: Tensor = self.layers(torch.cat([features, *marks], dim=1))
        return tokens.view(len(pixels), -1, tokens.shape[1])


class _ResidualBlock(nn.Module):
    """What two convolutions add to a map (He et al. 2016, in the order of their second paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return (n, channels, h, w) of the same."""
        changed: Tensor = maps + self.layers(maps)
        return changed


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
