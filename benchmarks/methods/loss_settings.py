"""The settings of the loss in E2E's Table III, and the networks of its cells."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import TypeAlias

from benchmarks.methods.cases import Case, with_patches
from benchmarks.methods.trained_network import TrainedNetwork, key_bound
from cipherlens.crypto import PreparedSize
from cipherlens.model.config import TrainConfig

Setting: TypeAlias = tuple[float, float]
"""(alpha, m)."""

SETTINGS = tuple(product((1.0, 0.5), (0.3, 0.5)))
"""In the order of the paper's Table III."""


def network(
    size: PreparedSize, config: TrainConfig, case: Case, setting: Setting
) -> TrainedNetwork:
    """Return the network of a cell of Table III for pictures of a size."""
    alpha, margin = setting
    config = replace(with_patches(config, case.block_size), alpha=alpha, margin=margin)
    parameters = case.parameters(size.height, size.width)
    name = f"settings-p{case.block_size}-m{parameters.substituted_blocks}-{alpha:g}-{margin:g}"
    return key_bound(name, config, parameters)


def chosen_setting(scores: Mapping[Setting, float]) -> Setting:
    """Return the setting with the best score on validation, the first of equals."""
    return max(scores, key=lambda setting: scores[setting])


def setting_name(setting: Setting) -> str:
    """Return how the tables call a setting."""
    alpha, margin = setting
    return f"alpha={alpha:g}, m={margin:g}"
