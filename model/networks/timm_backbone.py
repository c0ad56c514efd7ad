"""Backbones that are not ours: architectures of timm, without their weights."""

import timm
from torch import nn


def timm_backbone(name: str, own: str) -> nn.Module:
    """Return a timm architecture without its top, with random weights, never from a hub.

    `own` is the name of our own backbone, for the error.

    Raises:
        ValueError: if timm has no architecture of that name.
    """
    if not timm.is_model(name):
        raise ValueError(f"backbone must be {own!r} or a timm name, got {name!r}")
    return timm.create_model(name, pretrained=False, num_classes=0)
