"""Models that take over from each other."""

import pytest


@pytest.fixture(scope="session")
def checkpoints(checkpoint, tmp_path_factory):
    """Files of four models of one architecture."""
    folder = tmp_path_factory.mktemp("models")
    paths = [folder / f"{number}.safetensors" for number in range(4)]
    for number, path in enumerate(paths):
        path.write_bytes(checkpoint(seed=number))
    return paths
