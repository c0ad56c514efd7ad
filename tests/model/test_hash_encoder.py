from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.model.checkpoint import Checkpoint, CheckpointConfiguration, save
from cipherlens.model.embedder import Embedder
from cipherlens.model.errors import CheckpointError
from cipherlens.model.hash_encoder import HashEncoder
from cipherlens.model.inference import MAX_BATCH
from cipherlens.model.networks.hash_network import HashNetwork
from cipherlens.model.networks.network import to_input


@pytest.fixture
def path(tmp_path: Path, hash_network: HashNetwork) -> Path:
    target = tmp_path / "hash.safetensors"
    configuration = CheckpointConfiguration(
        architecture="hash", network=hash_network.config, profile=None
    )
    save(target, hash_network, configuration)
    return target


def random_pixels(count: int, height: int = 32, width: int = 48) -> np.ndarray:
    generator = np.random.default_rng(5)
    tint = generator.integers(1, 256, (count, 1, 1, 3))
    return generator.integers(0, tint, (count, height, width, 3)).astype(np.uint8)


def test_what_it_says_of_itself(path: Path, hash_network: HashNetwork) -> None:
    encoder = HashEncoder(path)
    assert (encoder.bits, encoder.height, encoder.width) == (12, 32, 48)
    assert encoder.configuration.network == hash_network.config
    assert encoder.digest == Checkpoint.read(path).digest
    assert encoder.numeric_mode == "cpu-fp32"
    assert HashEncoder(path.read_bytes(), precision="bf16").numeric_mode == "cpu-bf16"


@pytest.mark.parametrize("shape", [(32, 48), (48, 32)])
def test_bits_are_activations_that_reach_the_threshold(
    path: Path, hash_network: HashNetwork, shape: tuple[int, int]
) -> None:
    pixels = random_pixels(MAX_BATCH + 5, *shape)
    encoder = HashEncoder(path)
    codes = encoder.encode(pixels)
    with torch.no_grad():
        expected = hash_network(to_input(pixels, torch.device("cpu"))).numpy()
    assert (codes.shape, codes.dtype) == ((MAX_BATCH + 5, 2), np.uint8)
    np.testing.assert_allclose(encoder.activations(pixels), expected, atol=1e-5)
    bits = np.unpackbits(codes, axis=1, bitorder="little")
    clear = np.abs(expected - 0.45) > 1e-5  # no rounding can carry these over the threshold
    assert np.array_equal(bits[:, :12][clear], expected[clear] >= 0.45)
    assert clear.mean() > 0.9
    assert not bits[:, 12:].any()
    assert len(np.unique(codes, axis=0)) > 2


def test_alone_or_in_a_batch_the_code_is_the_same(path: Path) -> None:
    encoder = HashEncoder(path)
    pixels = random_pixels(9)
    sure = np.abs(encoder.activations(pixels) - 0.45).min(axis=1) > 1e-5
    alone = np.concatenate([encoder.encode(pixels[i : i + 1]) for i in range(9)])
    assert sure.sum() > 5
    assert np.array_equal(alone[sure], encoder.encode(pixels)[sure])


def test_no_images_give_no_codes(path: Path) -> None:
    assert HashEncoder(path).encode(random_pixels(0)).shape == (0, 2)


def test_pixels_that_do_not_fit(path: Path) -> None:
    encoder = HashEncoder(path)
    with pytest.raises(ValueError, match=r"pixels must have the shape \(n, 32, 48, 3\)"):
        encoder.encode(random_pixels(1, 32, 32))
    with pytest.raises(TypeError, match="uint8"):
        encoder.encode(random_pixels(1).astype(np.float32))


def test_a_hash_network_does_not_embed(path: Path) -> None:
    with pytest.raises(CheckpointError, match="this is a hash network"):
        Embedder(path)
