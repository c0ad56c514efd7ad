"""The network of the E2E paper: a backbone over cipher-image blocks and a two-layer head."""

from collections.abc import Callable
from functools import partial
from typing import cast

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from timm.layers.patch_embed import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from cipherlens.model.block_embedding import BlockEmbedding
from cipherlens.model.network_config import NetworkConfig


class RetrievalNetwork(nn.Module):
    """A network whose outputs are compared, with class logits that only the training needs.

    Called on (n, 3, h, w) from `to_input` it returns (n, dim) outputs.
    """

    backbone: nn.Module
    classifier: nn.Linear

    def classify(self, outputs: Tensor) -> Tensor:
        """Return the class logits, (n, classes), of outputs from `forward`."""
        return cast("Tensor", self.classifier(outputs))


class EndToEndNetwork(RetrievalNetwork):
    """A backbone, the feature f = tanh(W1 LN(z_L*)) (E2E eq. 8) and pred = W2 f (eq. 9).

    Images of both orientations go through one set of weights, one orientation per batch.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Build the network with fresh random weights from torch's global generator.

        Raises:
            ValueError: if the backbone is neither "vit" nor a timm architecture.
        """
        super().__init__()
        self.config = config
        self.backbone = _vision_transformer(config) if config.backbone == "vit" else _timm(config)
        self.feature = nn.Linear(cast("int", self.backbone.num_features), config.feature_dim)
        self.classifier = nn.Linear(config.feature_dim, config.classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return f, (n, feature_dim) in [-1, 1], for (n, 3, h, w) from `to_input`."""
        return torch.tanh(self.feature(self.backbone(pixels)))


def to_input(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Return (n, h, w, 3) uint8 pixels as (n, 3, h, w) float32 in [-1, 1] on the device."""
    images = torch.from_numpy(np.ascontiguousarray(pixels)).to(device)
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def check_pixels(pixels: NDArray[np.uint8], height: int, width: int) -> None:
    """Pass if pixels are (n, height, width, 3) uint8 images or (n, width, height, 3).

    Raises:
        TypeError: if pixels is no uint8 array.
        ValueError: if it has another shape.
    """
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
        raise TypeError("pixels must be an array of uint8")
    fitting = ((height, width, 3), (width, height, 3))
    if pixels.ndim != 4 or pixels.shape[1:] not in fitting:
        raise ValueError(
            f"pixels must have the shape (n, {height}, {width}, 3) or "
            f"(n, {width}, {height}, 3), got {pixels.shape}"
        )


_EMBEDDINGS: dict[str, Callable[..., nn.Module]] = {
    "linear": partial(PatchEmbed, strict_img_size=False),
    "convolution": BlockEmbedding,
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


def _timm(config: NetworkConfig) -> nn.Module:
    """Return a timm architecture with random weights and pooled features, never from a hub.

    Raises:
        ValueError: if timm has no architecture of that name.
    """
    if not timm.is_model(config.backbone):
        raise ValueError(f"backbone must be 'vit' or a timm name, got {config.backbone!r}")
    return timm.create_model(config.backbone, pretrained=False, num_classes=0)
