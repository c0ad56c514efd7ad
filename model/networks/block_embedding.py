"""The tokens of a network of cipher-images: a block by itself, and what of it no table hides."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from cipherlens.model.networks.block_marks import LEVELS, blocks_of, log_share, same_as_next
from cipherlens.model.networks.value_order import ORDER_CHANNELS, value_order

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
    two: it costs three times as much and finds more. `ordered` adds how bright values are by those
    beside them (`value_order`), for tables of which nothing is known. `learned` adds so many
    numbers for each value of each channel, which are learnt: where all pictures have the same
    tables, the network so has the inverse ones.

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
        ordered: bool = False,
        learned: int = 0,
        **_ignored: Any,
    ) -> None:
        """Build the layers with fresh random weights from torch's global generator."""
        super().__init__()
        self.patch_size = (patch_size, patch_size)
        self.grid_size = (img_size[0] // patch_size, img_size[1] // patch_size)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.ordered = ordered
        self.colours = nn.Embedding(in_chans * LEVELS, learned) if learned else None
        layers: list[nn.Module] = []
        channels = 5 * in_chans + ordered * ORDER_CHANNELS + learned
        side, wider = patch_size, CHANNELS
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
        if self.ordered:
            marks.append(value_order(values, self.patch_size[0]))
        if self.colours is not None:
            marks.append(self._looked_up(blocks, self.colours))
        tokens: Tensor = self.layers(torch.cat([features, *marks], dim=1))
        return tokens.view(len(pixels), -1, tokens.shape[1])

    def _looked_up(self, blocks: Tensor, colours: nn.Embedding) -> Tensor:
        """Return the sum over the channels of what has been learnt for their values."""
        first = torch.arange(blocks.shape[1], device=blocks.device) * LEVELS
        return cast("Tensor", colours(blocks + first[:, None, None]).sum(dim=1).movedim(3, 1))


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
