"""What every network has in common, and the pixels that it takes."""

from abc import abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cipherlens.model.networks.network_config import (
    BlockSetConfig,
    HashNetworkConfig,
    NetworkConfig,
)


class RetrievalNetwork(nn.Module):
    """A network whose outputs are compared.

    Called on (n, 3, h, w) from `to_input` it returns (n, dimension) outputs.

    Attributes:
        backbone: what looks at the pictures.
        config: what the network is.
    """

    backbone: nn.Module
    config: NetworkConfig | BlockSetConfig | HashNetworkConfig

    @property
    @abstractmethod
    def dimension(self) -> int:
        """The length of an output."""


class ClassifyingNetwork(RetrievalNetwork):
    """A network with class logits, which only its training needs."""

    classifier: nn.Linear

    def classify(self, outputs: Tensor) -> Tensor:
        """Return the class logits, (n, classes), of outputs from `forward`."""
        return cast("Tensor", self.classifier(outputs))


def without_autocast(values: Tensor) -> AbstractContextManager[object]:
    """Return what keeps a block in the precision of its values, on the meta device too."""
    if values.is_meta:  # which autocast does not know; nothing is computed there
        return nullcontext()
    return torch.autocast(values.device.type, enabled=False)


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
