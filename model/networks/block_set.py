"""A network of any key: a set of blocks, their likely neighbours, and the teacher's space."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, normalize

from cipherlens.model.networks.block_embedding import LEVELS, blocks_of, log_share, same_as_next
from cipherlens.model.networks.match_sketch import MatchSketch
from cipherlens.model.networks.neighbours import likely_neighbours
from cipherlens.model.networks.network import RetrievalNetwork
from cipherlens.model.networks.network_config import BlockSetConfig

GRID = 4
"""A block is described on a grid of so many cells per side."""

STEM_CHANNELS = 32
"""Maps of the first convolution, as EfficientNet-Lite0's has them: its weights fit."""

MARKS = 9
"""Marks of a pixel that no colour table changes: three for each channel."""


class BlockSetNetwork(RetrievalNetwork):
    """Blocks by themselves, layers over guessed neighbours, and a pool that knows no places.

    The vector has two parts. The first, `semantic_dim` long, is learnt: it lies where a teacher of
    plain pictures puts the picture. The second, `identity_dim` long, is `MatchSketch`: the same for
    every key, so that a picture finds itself. Each has unit length before they are weighted.
    """

    backbone: "BlockSetBackbone"

    def __init__(self, config: BlockSetConfig) -> None:
        """Build the network with fresh random weights from torch's global generator."""
        super().__init__()
        self.config = config
        self.backbone = BlockSetBackbone(config)
        self.sketch = MatchSketch(config.block_size, config.identity_dim)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self.config.feature_dim

    def forward(self, pixels: Tensor) -> Tensor:
        """Return unit vectors, (n, feature_dim), of (n, 3, h, w) pixels from `to_input`."""
        return self._joined(self.backbone(pixels), self.sketch(levels_of(pixels)))

    def _joined(self, semantic: Tensor, identity: Tensor) -> Tensor:
        """Return unit vectors of both parts, the second with its share of the cosine."""
        share = self.config.identity_share
        parts = [normalize(semantic) * (1 - share) ** 0.5, normalize(identity) * share**0.5]
        return torch.cat(parts, dim=1)


class BlockSetBackbone(nn.Module):
    """The learnt part: from cipher-images to the teacher's space."""

    def __init__(self, config: BlockSetConfig) -> None:
        """Build the layers with fresh random weights from torch's global generator."""
        super().__init__()
        self.block_size, dim = config.block_size, config.dim
        self.conv_stem = nn.Conv2d(3, STEM_CHANNELS, 3, stride=2, padding=1)
        width = (STEM_CHANNELS + 3 + MARKS) * GRID**2
        self.embed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, dim))
        self.layers = nn.ModuleList(NeighbourLayer(dim) for _ in range(config.depth))
        self.sharpness = nn.Parameter(torch.full((config.depth, 2), 2.0))
        self.norm = nn.LayerNorm(dim)
        self.queries = nn.Linear(dim, config.heads)
        self.head = nn.Sequential(
            nn.Linear((config.heads + 2) * dim, 2 * dim),
            nn.GELU(),
            nn.Linear(2 * dim, config.semantic_dim),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (n, semantic_dim) of (n, 3, h, w) pixels from `to_input`."""
        tokens = self.embed(self._described(pixels))
        right, below = likely_neighbours(blocks_of(pixels, self.block_size), len(pixels))
        for layer, sharpness in zip(self.layers, self.sharpness, strict=True):
            tokens = layer(tokens, right(sharpness[0]), below(sharpness[1]))
        return cast("Tensor", self.head(self._pooled(self.norm(tokens))))

    def _described(self, pixels: Tensor) -> Tensor:
        """Return what is seen of each block alone, (n, blocks, features)."""
        values = levels_of(pixels)
        blocks = blocks_of(pixels, self.block_size)
        levels = blocks_of(values, self.block_size)
        commonness = blocks_of(log_share(values), self.block_size)
        marks = [same_as_next(levels, dim=3), same_as_next(levels, dim=2), commonness]
        edges = nn.functional.relu6(self.conv_stem(blocks))
        maps = [edges, blocks, *marks]
        cells = [avg_pool2d(each, each.shape[-1] // GRID).flatten(1) for each in maps]
        return torch.cat(cells, dim=1).view(len(pixels), -1, sum(each.shape[1] for each in cells))

    def _pooled(self, tokens: Tensor) -> Tensor:
        """Return (n, (heads + 2) dim): weighted means, the plain mean and the spread of a set."""
        weights = self.queries(tokens).softmax(dim=1)
        heads = torch.einsum("nbh,nbd->nhd", weights, tokens).flatten(1)
        mean = tokens.mean(dim=1)
        spread = (tokens - mean[:, None]).square().mean(dim=1).add(1e-6).sqrt()
        return torch.cat([heads, mean, spread], dim=1)


class NeighbourLayer(nn.Module):
    """What a block learns from itself, its likely neighbours, and all blocks.

    Left and right count alike: a mirrored picture shows the same things.
    """

    def __init__(self, dim: int) -> None:
        """Build a layer of tokens of `dim` numbers."""
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.sides = nn.Linear(4 * dim, 2 * dim)
        self.all = nn.Linear(dim, 2 * dim, bias=False)
        self.out = nn.Linear(2 * dim, dim)

    def forward(self, tokens: Tensor, right: Tensor, below: Tensor) -> Tensor:
        """Return (n, blocks, dim) tokens; `right` and `below` are (n, blocks, blocks) weights."""
        seen = self.norm(tokens)
        sides = [right + right.mT, below, below.mT]
        near = torch.cat([seen, *(side.to(seen.dtype) @ seen for side in sides)], dim=2)
        hidden = self.sides(near) + self.all(seen.mean(dim=1, keepdim=True))
        changed: Tensor = tokens + self.out(nn.functional.gelu(hidden))
        return changed


def levels_of(pixels: Tensor) -> Tensor:
    """Return the values from 0 to 255, int64, of pixels from `to_input`."""
    return pixels.add(1).mul(127.5).round().clamp(0, LEVELS - 1).long()
