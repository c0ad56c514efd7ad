"""A network of any key: what a set of blocks shows, without their places, in a teacher's space."""

import math
from typing import Any, cast

import timm
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, linear, normalize

from cipherlens.model.networks.block_marks import LEVELS, blocks_of, log_share, same_as_next
from cipherlens.model.networks.match_sketch import MatchSketch
from cipherlens.model.networks.network import ClassifyingNetwork, without_autocast
from cipherlens.model.networks.network_config import BlockSetConfig

ARCHITECTURE = "tf_efficientnet_lite0"
"""Whose first stages look at each block."""

CHANNELS = (32, 16, 24, 40, 80, 112)
"""Of the first convolution and of five stages; a block of 16 pixels is one position by then."""

MARKS = 9
"""Marks of a pixel that no colour table changes, three for each channel."""

GRID = 4
"""The marks of a block are described on a grid of so many cells per side."""

COLOURS = 4
"""Levels of a channel in the histogram of colours."""

STATISTICS = 8
"""Numbers by which a plain block is told from a substituted one."""


class BlockSetNetwork(ClassifyingNetwork):
    """First stages of an ImageNet network on every block, pooled without places, and a linear map.

    The vector has two parts. The first, `semantic_dim` long, lies where a teacher of plain pictures
    puts the picture, or near those with the same label. The second, `identity_dim` long, is
    `MatchSketch`: the same for every key, so that a picture finds itself. Each has unit length
    before they are weighted.
    """

    backbone: "BlockSetBackbone"
    config: BlockSetConfig
    mean: Tensor
    spread: Tensor

    def __init__(self, config: BlockSetConfig) -> None:
        """Build the network with fresh random weights from torch's global generator."""
        super().__init__()
        self.config = config
        self.backbone = BlockSetBackbone(config.block_size)
        self.register_buffer("mean", torch.zeros(self.backbone.width))
        self.register_buffer("spread", torch.ones(self.backbone.width))
        self.head = _head(self.backbone.width, config)
        if config.classes:
            self.classifier = nn.Linear(config.semantic_dim, config.classes)
        self.sketch = MatchSketch(config.block_size, config.identity_dim)

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return self.config.feature_dim

    def forward(self, pixels: Tensor) -> Tensor:
        """Return unit vectors, (n, feature_dim), of (n, 3, h, w) pixels from `to_input`."""
        semantic = self.semantic(self.backbone(pixels))
        identity = self.sketch(levels_of(pixels))
        share = self.config.identity_share
        parts = [normalize(semantic) * (1 - share) ** 0.5, normalize(identity) * share**0.5]
        return torch.cat(parts, dim=1)

    def semantic(self, described: Tensor) -> Tensor:
        """Return (n, semantic_dim) float32, of no certain length, of what the backbone makes."""
        found: Tensor = self.head((described - self.mean) / self.spread)
        return found


class BlockSetBackbone(nn.Module):
    """What is pooled over the blocks of a cipher-image.

    The stages see whole blocks. In a substituted one they see no picture, so a gate, which knows
    such blocks by neighbouring pixels and channels that go their own ways, leaves it out. Which
    pixels are equal no table changes: these marks are pooled over all blocks.
    """

    conv_stem: nn.Conv2d
    bn1: nn.Module

    def __init__(self, block_size: int) -> None:
        """Build the layers with fresh random weights from torch's global generator."""
        super().__init__()
        self.block_size = block_size
        whole: Any = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0)
        self.conv_stem, self.bn1 = whole.conv_stem, whole.bn1
        self.stages = nn.ModuleList(whole.blocks[: len(CHANNELS) - 1])
        self.gate = ExactLinear(STATISTICS, 1)
        self.width = 4 * sum(CHANNELS) + COLOURS**3 + 2 * MARKS * GRID**2
        self.eval()

    def train(self, mode: bool = True) -> "BlockSetBackbone":  # noqa: ARG002
        """Stay as it is: the statistics of its batch norms are those of plain pictures."""
        return super().train(mode=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (n, width) float32 of (n, 3, h, w) pixels from `to_input`."""
        images = len(pixels)
        values = levels_of(pixels)
        blocks = blocks_of(pixels, self.block_size)
        levels = blocks_of(values, self.block_size)
        plain = self.gate(statistics(blocks, levels)).sigmoid().view(images, -1, 1)
        shares = plain / (plain.sum(dim=1, keepdim=True) + 1e-3)
        seen = [_pooled(each, plain, shares) for each in self._maps(blocks)]
        colours = (_colours(levels).view(images, -1, COLOURS**3) * shares).sum(dim=1).sqrt()
        marks = _marks(levels, blocks_of(log_share(values), self.block_size))
        by_image = marks.view(images, -1, marks.shape[1])
        equal = [by_image.mean(dim=1), by_image.std(dim=1, correction=0)]
        return torch.cat([*seen, colours, *equal], dim=1)

    def _maps(self, blocks: Tensor) -> list[Tensor]:
        """Return what the stages see, (n * blocks, channels, side, side) each."""
        found: list[Tensor] = [
            self.bn1(self.conv_stem(blocks.contiguous(memory_format=torch.channels_last)))
        ]
        maps = found[0]
        for stage in self.stages:
            for layer in cast("nn.Sequential", stage):
                maps = _at_one_position(layer, maps) if maps.shape[-1] == 1 else layer(maps)
            found.append(maps)
        return found


class ExactLinear(nn.Module):
    """A linear map in float32, whatever the others compute in.

    Its inputs are of very different sizes and have means that cancel: bfloat16 would leave too few
    digits.
    """

    def __init__(self, width: int, dim: int) -> None:
        """Build a map from `width` numbers to `dim`, of zeros."""
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(dim, width))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, rows: Tensor) -> Tensor:
        """Return (..., dim) float32 of (..., width) rows."""
        with without_autocast(rows):
            return linear(rows.float(), self.weight, self.bias)


def _head(width: int, config: BlockSetConfig) -> nn.Module:
    """Return a linear map of zeros, or one with a hidden layer of random weights."""
    if not config.hidden:
        return ExactLinear(width, config.semantic_dim)
    maps = [ExactLinear(width, config.hidden), ExactLinear(config.hidden, config.semantic_dim)]
    for each in maps:
        nn.init.kaiming_uniform_(each.weight, a=math.sqrt(5))  # as nn.Linear begins
    first, last = maps
    return nn.Sequential(
        nn.Dropout(config.dropout), first, nn.GELU(), nn.Dropout(config.dropout), last
    )


def _at_one_position(layer: Any, maps: Tensor) -> Tensor:
    """Return what an inverted residual makes of (n, channels, 1, 1) maps, in matrix products.

    A kernel's centre is all of it that such a map sees; convolutions would take ten times as long.
    """
    centre = layer.conv_dw.weight.shape[-1] // 2
    rows = maps.flatten(1)
    wide = layer.bn1(linear(rows, layer.conv_pw.weight.flatten(1))[..., None, None])
    deep = layer.bn2(wide * layer.conv_dw.weight[:, 0, centre, centre, None, None])
    narrow: Tensor = layer.bn3(
        linear(deep.flatten(1), layer.conv_pwl.weight.flatten(1))[..., None, None]
    )
    return narrow + maps if layer.has_skip else narrow


def levels_of(pixels: Tensor) -> Tensor:
    """Return the values from 0 to 255, int64, of pixels from `to_input`."""
    return pixels.add(1).mul(127.5).round().clamp(0, LEVELS - 1).long()


def statistics(blocks: Tensor, levels: Tensor) -> Tensor:
    """Return (blocks, 8) numbers in which substituted blocks differ from plain ones.

    Args:
        blocks: (blocks, 3, side, side) pixels in [-1, 1].
        levels: the same as int64 from 0 to 255.
    """
    along, down = blocks.diff(dim=3), blocks.diff(dim=2)
    unequal = [levels.diff(dim=dim).ne(0).float().mean(dim=(1, 2, 3)) for dim in (3, 2)]
    rough = [
        each.abs().mean(dim=(1, 2, 3)) / share.clamp(min=1e-3)
        for each, share in zip((along, down), unequal, strict=True)
    ]
    agreement = [_agreement(along, pair) for pair in ((0, 1), (1, 2))]
    tint = (blocks[:, 0] - blocks[:, 1]).abs().mean(dim=(1, 2))
    spread = blocks.std(dim=(2, 3)).mean(dim=1)
    return torch.stack([*unequal, *rough, *agreement, tint, spread], dim=1)


def _agreement(changes: Tensor, channels: tuple[int, int]) -> Tensor:
    """Return the cosine of two channels' changes in each block, 0 where there are none."""
    first, second = (normalize(changes[:, channel].flatten(1)) for channel in channels)
    return (first * second).sum(dim=1)


def _pooled(maps: Tensor, plain: Tensor, shares: Tensor) -> Tensor:
    """Return mean, spread, mean of the highest values and highest mean over an image's blocks."""
    maps = maps.float()  # sums over blocks, under autocast too
    within = maps.mean(dim=(2, 3)).view(*plain.shape[:2], -1)
    highest = maps.amax(dim=(2, 3)).view(*plain.shape[:2], -1)
    mean = (within * shares).sum(dim=1)
    spread = ((within - mean[:, None]).square() * shares).sum(dim=1).add(1e-6).sqrt()
    return torch.cat(
        [mean, spread, (highest * shares).sum(dim=1), (within * plain).amax(dim=1)], dim=1
    )


def _colours(levels: Tensor) -> Tensor:
    """Return the shares of 64 colours in each block, (blocks, 64)."""
    coarse = levels.flatten(2) // (LEVELS // COLOURS)
    names = (coarse[:, 0] * COLOURS + coarse[:, 1]) * COLOURS + coarse[:, 2]
    shares = names.new_zeros((len(names), COLOURS**3), dtype=torch.float32)
    return shares.scatter_add_(
        1, names, torch.full(names.shape, 1 / names.shape[1], device=names.device)
    )


def _marks(levels: Tensor, commonness: Tensor) -> Tensor:
    """Return the marks of equal pixels in each cell of a block, (blocks, features)."""
    maps = [same_as_next(levels, dim=3), same_as_next(levels, dim=2), commonness]
    cells = [avg_pool2d(each, each.shape[-1] // GRID).flatten(1) for each in maps]
    return torch.cat(cells, dim=1)
