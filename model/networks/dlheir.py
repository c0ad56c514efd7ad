"""The backbone of DLHEIR: a DenseNet201 whose end is one inverted residual block."""

from collections import OrderedDict
from typing import cast

from timm.layers.conv_bn_act import ConvNormAct
from timm.models.densenet import DenseNet
from torch import Tensor, nn

KEPT_LAYERS = (6, 12, 48, 18)
"""Dense layers in each block: DenseNet201's 6, 12, 48, 32 without the last 14."""

CHANNELS = 512
"""Channels of the feature maps, 32 times smaller than the image."""


class DlheirBackbone(nn.Module):
    """DenseNet201 with the last 14 dense layers replaced (DLHEIR section 3.3.2).

    The weights of the layers that are kept have the names that they have in timm's
    "densenet201", so that trained ones load by name.
    """

    def __init__(
        self,
        growth_rate: int = 32,
        layers: tuple[int, ...] = KEPT_LAYERS,
        channels: int = CHANNELS,
    ) -> None:
        """Build the backbone with fresh random weights from torch's global generator."""
        super().__init__()
        dense = DenseNet(growth_rate=growth_rate, block_config=layers, num_classes=0)
        self.num_features = channels
        self.features = dense.features
        # The paper's parameter counts leave no room for the norm between block 4 and the new one.
        del self.features.norm5
        self.features.add_module(
            "inverted_residual", inverted_residual(dense.num_features, channels)
        )

    def forward_features(self, pixels: Tensor) -> Tensor:
        """Return feature maps, (n, channels, h / 32, w / 32), of (n, 3, h, w) images."""
        return cast("Tensor", self.features(pixels))


def inverted_residual(channels: int, out_channels: int) -> nn.Sequential:
    """Return MobileNetV2's block without expansion and, as the channels change, without a skip.

    A pointwise, a depthwise 3x3 and a linear pointwise convolution, none with a bias, each with
    a batch norm.
    """
    return nn.Sequential(
        OrderedDict(
            expand=ConvNormAct(channels, channels, 1, act_layer=nn.ReLU6),
            depthwise=ConvNormAct(channels, channels, 3, groups=channels, act_layer=nn.ReLU6),
            project=ConvNormAct(channels, out_channels, 1, apply_act=False),
        )
    )
