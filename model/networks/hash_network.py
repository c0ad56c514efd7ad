"""The network of the hash pipeline: a backbone over plain images and the hash layer of DLHEIR."""

from typing import cast

import torch
from torch import Tensor, nn

from cipherlens.model.networks.dlheir import DlheirBackbone
from cipherlens.model.networks.network import ClassifyingNetwork
from cipherlens.model.networks.network_config import HashNetworkConfig
from cipherlens.model.networks.timm_backbone import timm_backbone


class HashHead(nn.Module):
    """DLHEIR's hash layer: 1x1 convolution, batch norm, sigmoid, global average pooling."""

    def __init__(self, channels: int, bits: int) -> None:
        """Build the layer with fresh random weights from torch's global generator."""
        super().__init__()
        self.convolution = nn.Conv2d(channels, bits, kernel_size=1)
        self.norm = nn.BatchNorm2d(bits)

    def forward(self, maps: Tensor) -> Tensor:
        """Return activations, (n, bits) in (0, 1), of (n, channels, h, w) feature maps."""
        return torch.sigmoid(self.norm(self.convolution(maps))).mean(dim=(2, 3))


class HashNetwork(ClassifyingNetwork):
    """A backbone, the hash layer, and class logits that only the training needs.

    Whoever can run it can match any picture to stored codes: the cloud never has it in the clear.
    """

    config: HashNetworkConfig

    def __init__(self, config: HashNetworkConfig) -> None:
        """Build the network with fresh random weights from torch's global generator.

        Raises:
            ValueError: if the backbone is neither "dlheir" nor a timm architecture.
        """
        super().__init__()
        self.config = config
        self.backbone = (
            DlheirBackbone()
            if config.backbone == "dlheir"
            else timm_backbone(config.backbone, "dlheir")
        )
        self.head = HashHead(cast("int", self.backbone.num_features), config.bits)
        self.classifier = nn.Linear(config.bits, config.classes)

    @property
    def dimension(self) -> int:
        """The number of activations."""
        return self.config.bits

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the activations AP, (n, bits) in (0, 1), for (n, 3, h, w) from `to_input`."""
        backbone = cast("DlheirBackbone", self.backbone)  # timm's have the same method
        return cast("Tensor", self.head(feature_maps(backbone, backbone.forward_features(pixels))))


def feature_maps(backbone: nn.Module, features: Tensor) -> Tensor:
    """Return a backbone's unpooled features as (n, channels, h, w).

    Tokens, (n, tokens, channels), become maps one pixel wide and lose the class token and others
    that stand for no place: the hash layer is blind to how places are arranged.
    """
    if features.ndim == 3:
        places = features[:, cast("int", getattr(backbone, "num_prefix_tokens", 0)) :]
        return places.transpose(1, 2).unsqueeze(3)
    if getattr(backbone, "output_fmt", "NCHW") == "NHWC":
        return features.permute(0, 3, 1, 2)
    return features
