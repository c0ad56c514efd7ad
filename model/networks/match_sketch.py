"""A short vector of which blocks a picture is made of, the same under every key."""

import torch
from torch import Tensor, nn

from cipherlens.model.networks.block_marks import blocks_of, same_as_next
from cipherlens.model.networks.network import without_autocast

SEED = 2007  # of the projection, which is a part of the network: the same in every training
WIDTH = 20.0  # standard deviation of the phase between two blocks without a mark in common


class MatchSketch(nn.Module):
    """How many blocks two pictures have in common, as an inner product of their vectors.

    Neither permutation nor colour table changes which pixels of a block equal their neighbours. Two
    blocks are compared by these marks with a narrow Gaussian kernel, and a picture's vector is the
    sum over its blocks of the kernel's random Fourier features (Rahimi and Recht 2007; sums of
    them: Bo and Sminchisescu 2009). So a picture has the same vector under every key, however many
    blocks are substituted, and different pictures have a cosine near 0. Nothing is learnt. Blocks
    of one colour say nothing of a picture and do not count.
    """

    projection: Tensor
    phase: Tensor

    def __init__(self, block_size: int, dim: int) -> None:
        """Draw the projection of blocks of block_size x block_size pixels onto dim numbers."""
        super().__init__()
        self.block_size = block_size
        generator = torch.Generator().manual_seed(SEED)
        marks = 6 * block_size**2
        directions = torch.randn(marks, dim, generator=generator, device="cpu")
        phase = torch.rand(dim, generator=generator, device="cpu") * 2 * torch.pi
        self.register_buffer("projection", directions * (WIDTH / marks**0.5))
        self.register_buffer("phase", phase)

    def forward(self, values: Tensor) -> Tensor:
        """Return (n, dim) float32 sums of (n, 3, h, w) int64 values from 0 to 255."""
        blocks = blocks_of(values, self.block_size)
        marks = torch.cat([same_as_next(blocks, dim=3), same_as_next(blocks, dim=2)], dim=1)
        levels = blocks.flatten(2)
        varied = (levels.amax(dim=2) != levels.amin(dim=2)).any(dim=1)
        with without_autocast(values):  # the phases are large
            waves = torch.cos(marks.flatten(1) @ self.projection + self.phase)
            told = waves * varied[:, None]
        return told.view(len(values), -1, waves.shape[1]).sum(dim=1)
