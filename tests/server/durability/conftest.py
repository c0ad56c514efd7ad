"""Models that take over from each other, and a disk whose power can be cut."""

import shutil
import sys

import pytest

from tests.server.durability.life import DISK
from tests.server.durability.power import Supply, build


@pytest.fixture(scope="session")
def checkpoints(checkpoint, tmp_path_factory):
    """Files of four models of one architecture."""
    folder = tmp_path_factory.mktemp("models")
    paths = [folder / f"{number}.safetensors" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(checkpoint(seed=number))
    return paths


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    """The library that sees what is written."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("this needs Linux and a C compiler, cc")
    return build(tmp_path_factory.mktemp("library"), compiler)


@pytest.fixture
def supply(tmp_path, library):
    """The power of an empty disk, the folder DISK; its cut leaves only what was synced."""
    (tmp_path / DISK).mkdir()
    return Supply(tmp_path / DISK, library, shares=[0.0])
