"""What trainings of a network of any key start with."""

from dataclasses import replace

import pytest
import timm
import torch
from safetensors.torch import save_file

from cipherlens.crypto import CipherParameters, Scope
from cipherlens.model.data.encryption import AnyKeyEncryptor
from cipherlens.model.networks.pretrained_lite0 import LITE0_ARCHITECTURE


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of random weights of EfficientNet-Lite0."""
    path = tmp_path_factory.mktemp("stages") / "stages.safetensors"
    with torch.random.fork_rng():
        torch.manual_seed(4)
        save_file(timm.create_model(LITE0_ARCHITECTURE, num_classes=0).state_dict(), path)
    return str(path)


@pytest.fixture(scope="session")
def any_key(parameters: CipherParameters) -> AnyKeyEncryptor:
    return AnyKeyEncryptor(replace(parameters, scope=Scope.IMAGE))
