"""Pixels in [-1, 1] for weights that were trained on pixels of another mean and deviation."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cipherlens.model.errors import PretrainedError


def fold_input(
    weights: Mapping[str, Tensor], first: str, mean: Sequence[float], std: Sequence[float]
) -> dict[str, Tensor]:
    """Return weights that make of pixels in [-1, 1] what these make of normalised ones.

    With u in [0, 1] they see (u - mean) / std of each channel, and we give them x = 2u - 1:
    (u - mean) / std = x (0.5 / std) + (0.5 - mean) / std. The factor goes into the weights of the
    first convolution, the rest into its bias or, where it has none, into the mean of the batch norm
    behind it. Only at the border, where a convolution pads with zeros, the results differ a little:
    zero is the mean colour there and middle grey here.

    Args:
        weights: tensors by name, in the order of the layers; they are not changed.
        first: the name of the first convolution.
        mean: that of each channel.
        std: the standard deviation of each channel.

    Raises:
        PretrainedError: if the first convolution has neither a bias nor a batch norm behind it.
    """
    if all(each == 0.5 for each in (*mean, *std)):
        return dict(weights)
    kernel = weights[f"{first}.weight"]
    deviation = torch.tensor(std)
    factor = (0.5 / deviation)[:, None, None]
    shift = ((0.5 - torch.tensor(mean)) / deviation)[:, None, None]
    offset = (kernel * shift).sum(dim=(1, 2, 3))
    folded = {**weights, f"{first}.weight": kernel * factor}
    if (bias := f"{first}.bias") in weights:
        folded[bias] = weights[bias] + offset
    else:
        centre = _norm_mean(weights, first)
        folded[centre] = weights[centre] - offset
    return folded


def _norm_mean(weights: Mapping[str, Tensor], first: str) -> str:
    """Return the name of the mean of the first batch norm behind a layer.

    Raises:
        PretrainedError: if there is none of as many channels.
    """
    names = list(weights)
    for name in names[names.index(f"{first}.weight") :]:
        if name.endswith(".running_mean"):
            if weights[name].shape[0] == weights[f"{first}.weight"].shape[0]:
                return name
            break
    raise PretrainedError(f"{first} has neither a bias nor a batch norm of its channels behind it")
