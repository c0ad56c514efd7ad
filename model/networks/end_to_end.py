"""The network of the E2E paper: a backbone over cipher-image blocks and a two-layer head."""

from collections.abc import Callable
from functools import partial
from typing import cast

import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from cipherlens.model.networks.block_embedding import BlockEmbedding
from cipherlens.model.networks.network import ClassifyingNetwork
from cipherlens.model.networks.network_config import NetworkConfig
from cipherlens.model.networks.timm_backbone import timm_backbone


class EndToEndNetwork(ClassifyingNetwork):
    """A backbone, the feature f = tanh(W1 LN(z_L*)) (E2E eq. 8) and pred = W2 f (eq. 9).

    Images of both orientations go through one set of weights, one orientation per batch.
    """

    config: NetworkConfig

    def __init__(self, config: NetworkConfig) -> None:
        """Build the network with fresh random weights from torch's global generator.

        Raises:
            ValueError: if the backbone is neither "vit" nor a timm architecture.
        """
        super().__init__()
        self.config = config
        self.backbone = (
            _vision_transformer(config)
            if config.backbone == "vit"
            else timm_backbone(config.backbone, "vit")
        )
        self.feature = nn.Linear(cast("int", self.backbone.num_features), config.feature_dim)
        self.classifier = nn.Linear(config.feature_dim, config.classes)

    @property
    def dimension(self) -> int:
        """The length of f."""
        return self.config.feature_dim

    def forward(self, pixels: Tensor) -> Tensor:
        """Return f, (n, feature_dim) in [-1, 1], for (n, 3, h, w) from `to_input`."""
        return torch.tanh(self.feature(self.backbone(pixels)))


LEARNED = 8
"""Numbers for each value of a channel, which stands for one thing with a table, for one without."""

_EMBEDDINGS: dict[str, Callable[..., nn.Module]] = {
    "linear": partial(PatchEmbed, strict_img_size=False),
    "convolution": BlockEmbedding,
    "residual": partial(BlockEmbedding, residual=True),
    "ordered": partial(BlockEmbedding, residual=True, ordered=True),
    "learned": partial(BlockEmbedding, residual=True, learned=LEARNED),
}


def _vision_transformer(config: NetworkConfig) -> VisionTransformer:
    """Return a timm ViT whose patches are the blocks of the cipher.

    timm's final norm is the LN of eq. 8, so that the head has none of its own. Without strict
    sizes a portrait image is cut into the same number of blocks, and block i in raster order
    gets position embedding i in either orientation. `dynamic_img_size` stays off: it would
    interpolate embeddings of neighbours that a keyed permutation has made unrelated.
    """
    return VisionTransformer(
        img_size=(config.height, config.width),
        patch_size=config.patch_size,
        embed_dim=config.dim,
        depth=config.depth,
        num_heads=config.heads,
        mlp_ratio=config.mlp_ratio,
        drop_path_rate=config.drop_path,
        pos_embed="learn" if config.positions == "learned" else "none",
        num_classes=0,
        weight_init="jax",
        embed_layer=_EMBEDDINGS[config.embedding],
    )
