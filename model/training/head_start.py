"""What of a network of any key is computed at once, before any gradient: stages, gate and head."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim import LBFGS

from cipherlens.model.data.encryption import Encryptor
from cipherlens.model.data.images import Pixels, PreparedImages, by_shape
from cipherlens.model.networks.block_marks import blocks_of
from cipherlens.model.networks.block_set import (
    ARCHITECTURE,
    BlockSetBackbone,
    BlockSetNetwork,
    ExactLinear,
    levels_of,
    statistics,
)
from cipherlens.model.networks.network import to_input
from cipherlens.model.networks.network_config import NetworkConfig
from cipherlens.model.networks.pretrained import start_backbone
from cipherlens.model.networks.timm_backbone import timm_backbone

GATE_PICTURES = 600
"""So many pictures show the gate what plain and substituted blocks are."""

CPU = torch.device("cpu")

Described = Iterator[tuple[Tensor, Tensor]]
"""Batches of what is pooled over cipher-images, (n, width), and of the targets, (n, dim)."""


def start_stages(backbone: BlockSetBackbone, source: str) -> None:
    """Give the stages the weights that ImageNet taught.

    Raises:
        PretrainedError: if they cannot be had or do not fit.
        OSError: if a file cannot be read.
    """
    whole = timm_backbone(ARCHITECTURE, "")
    start_backbone(whole, NetworkConfig(backbone=ARCHITECTURE), source)
    theirs, own = whole.state_dict(), backbone.state_dict()
    names = {name: name.replace("stages.", "blocks.", 1) for name in own}
    taken = {name: theirs[each] for name, each in names.items() if each in theirs}
    backbone.load_state_dict({**own, **taken})


def fit_gate(backbone: BlockSetBackbone, images: PreparedImages, encryptor: Encryptor) -> None:
    """Let the gate tell plain blocks from substituted ones, by a logistic regression.

    Where all blocks are of one kind there is nothing to tell, and all count alike.
    """
    generator = np.random.default_rng(0)
    found, plain = [], []
    for _, pixels in by_shape(images.images[:GATE_PICTURES], GATE_PICTURES):
        cipher = encryptor(pixels, generator)
        blocks = blocks_of(to_input(cipher, CPU), backbone.block_size)
        found.append(statistics(blocks, levels_of(blocks)))
        plain.append(torch.from_numpy(_unchanged(pixels, cipher, backbone.block_size)))
    weight, bias = _logistic(torch.cat(found), torch.cat(plain))
    with torch.no_grad():
        backbone.gate.weight.copy_(weight[None])
        backbone.gate.bias.fill_(bias)


def fit_head(network: BlockSetNetwork, described: Described, penalty: float) -> None:
    """Bring what is pooled to one spread, and set the head to the ridge regression of the targets.

    `penalty` is relative to the number of pictures. Sums are in float64.
    """
    width = network.backbone.width
    count, total, taught = 0, torch.zeros(width).double(), torch.zeros(1).double()
    squares, products = torch.zeros(width, width).double(), torch.zeros(1).double()
    for rows, targets in described:
        x, y = rows.cpu().double(), targets.cpu().double()
        count += len(x)
        total, taught = total + x.sum(dim=0), taught + y.sum(dim=0)
        squares, products = squares + x.T @ x, products + x.T @ y
    mean, aim = total / count, taught / count
    covariance = squares / count - torch.outer(mean, mean)
    scale = covariance.diagonal().clamp(min=0).sqrt() + 1e-3
    system = covariance / torch.outer(scale, scale) + penalty * torch.eye(width).double()
    shared = (products / count - torch.outer(mean, aim)) / scale[:, None]
    with torch.no_grad():
        network.mean.copy_(mean)
        network.spread.copy_(scale)
        head = cast("ExactLinear", network.head)
        head.weight.copy_(torch.linalg.solve(system, shared).T)
        head.bias.copy_(aim)


def _unchanged(pixels: Pixels, cipher: Pixels, side: int) -> NDArray[np.bool_]:
    """Return which blocks of cipher-images are blocks of the picture, (n * blocks,)."""
    found: list[bool] = []
    for one, other in zip(pixels, cipher, strict=True):
        known = {block.tobytes() for block in _tiles(one, side)}
        found += [block.tobytes() in known for block in _tiles(other, side)]
    return np.array(found)


def _tiles(image: Pixels, side: int) -> Pixels:
    """Return the blocks of one (h, w, 3) image, (blocks, side, side, 3)."""
    height, width = image.shape[:2]
    tiles = image.reshape(height // side, side, width // side, side, 3).swapaxes(1, 2)
    return tiles.reshape(-1, side, side, 3)


def _logistic(numbers: Tensor, plain: Tensor) -> tuple[Tensor, float]:
    """Return weights, (k,), and bias that tell plain blocks by their numbers, (blocks, k)."""
    if plain.all() or not plain.any():
        return torch.zeros(numbers.shape[1]), 10.0
    mean, spread = numbers.mean(dim=0), numbers.std(dim=0) + 1e-3
    rows = torch.cat([(numbers - mean) / spread, torch.ones(len(numbers), 1)], dim=1)
    fitted = torch.zeros(rows.shape[1], requires_grad=True)
    optimizer = LBFGS([fitted], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        entropy = binary_cross_entropy_with_logits(rows @ fitted, plain.float())
        value = entropy + 1e-4 * fitted.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    weight = fitted.detach()[:-1] / spread
    return weight, float(fitted.detach()[-1] - weight @ mean)
