"""Settings of the cipher, those of the E2E paper's tables among them."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.config import TrainConfig
from cipherlens.model.networks.pretrained import architecture


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A block size P, M as the share of the blocks whose colours are substituted, a scope."""

    block_size: int
    share: Fraction
    scope: Scope = Scope.COLLECTION

    def __str__(self) -> str:
        """Return how the papers' tables call it, all of which have one key."""
        return f"P={self.block_size}, M={self.share}"

    def parameters(self, height: int, width: int) -> CipherParameters:
        """Return the cipher's parameters for pictures of a size."""
        blknum = height * width // self.block_size**2
        return CipherParameters(
            height=height,
            width=width,
            block_size=self.block_size,
            substituted_blocks=round(blknum * self.share),
            scope=self.scope,
        )


SIZE = CipherParameters(height=64, width=96, substituted_blocks=0)
"""Half the paper's height and width, so that minutes are enough for a network."""

CASES = tuple(
    Case(block_size=block_size, share=Fraction(quarters, 4))
    for block_size in (8, 16)
    for quarters in (1, 2, 3)
)
"""The paper's six: at 128x192 M is 96, 192, 288 of 384 blocks and 24, 48, 72 of 96.

At half the height and width it is 24, 48, 72 of 96 blocks and 6, 12, 18 of 24.
"""


def with_patches(config: TrainConfig, block_size: int) -> TrainConfig:
    """Return the settings with blocks of a size as the network's patches.

    A file of weights to start from is then the one beside it that has those of such patches.
    """
    network = replace(config.network, patch_size=block_size)
    start = config.pretrained
    if start.endswith(".safetensors"):
        start = str(Path(start).with_name(f"{architecture(network)}.safetensors"))
    return replace(config, network=network, pretrained=start)
