import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from cipherlens.base import CipherProfile
from cipherlens.model import inference
from cipherlens.model.checkpoint import Checkpoint, CheckpointConfiguration, save
from cipherlens.model.config import NetworkConfig
from cipherlens.model.embedder import Embedder
from cipherlens.model.inference import MAX_BATCH
from cipherlens.model.networks.end_to_end import EndToEndNetwork
from cipherlens.model.networks.network import to_input


@pytest.fixture
def path(tmp_path: Path, network: EndToEndNetwork, profile: CipherProfile) -> Path:
    target = tmp_path / "model.safetensors"
    save(target, network, CheckpointConfiguration(network=network.config, profile=profile))
    return target


def random_pixels(count: int, height: int = 16, width: int = 24) -> np.ndarray:
    generator = np.random.default_rng(5)
    return generator.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def test_what_it_says_of_itself(path: Path, profile: CipherProfile) -> None:
    embedder = Embedder(path, precision="fp32")
    assert (embedder.dimension, embedder.profile) == (8, profile)
    assert embedder.digest == Checkpoint.read(path).digest
    assert embedder.numeric_mode == "cpu-fp32"
    assert Embedder(path, precision="bf16").numeric_mode == "cpu-bf16"
    assert Embedder(path.read_bytes()).numeric_mode in ("cpu-fp32", "cpu-bf16")


@pytest.mark.parametrize("shape", [(16, 24), (24, 16)])
def test_vectors_are_the_unit_features(
    path: Path, network: EndToEndNetwork, shape: tuple[int, int]
) -> None:
    pixels = random_pixels(3, *shape)
    vectors = Embedder(path, precision="fp32").embed(pixels)
    with torch.no_grad():
        features = network(to_input(pixels, torch.device("cpu"))).numpy()
    expected = features / np.linalg.norm(features, axis=1, keepdims=True)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, atol=1e-6)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_alone_or_in_a_batch_the_vector_is_the_same(tmp_path: Path, precision: str) -> None:
    config = NetworkConfig(
        patch_size=16, dim=64, depth=3, heads=2, feature_dim=32, height=64, width=96, classes=4
    )
    path = tmp_path / "model.safetensors"
    save(path, EndToEndNetwork(config), CheckpointConfiguration(network=config, profile=None))
    embedder = Embedder(path, precision=precision)
    pixels = random_pixels(MAX_BATCH + 5, 64, 96)
    together = embedder.embed(pixels)
    alone = np.concatenate([embedder.embed(pixels[i : i + 1]) for i in range(len(pixels))])
    assert (together * alone).sum(axis=1).min() >= 0.9999
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-4


@pytest.mark.parametrize(("bound", "sizes"), [(10**6, [5]), (1000, [2, 2, 1]), (1, [1] * 5)])
def test_large_pictures_go_in_smaller_batches(
    path: Path, monkeypatch: pytest.MonkeyPatch, bound: int, sizes: list[int]
) -> None:
    seen: list[int] = []
    embedder = Embedder(path, precision="fp32")
    expected = embedder.embed(random_pixels(5))
    monkeypatch.setattr(inference, "CPU_PIXELS", bound)
    assert min(5, embedder.at_once) == sizes[0]
    embedder._network.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    np.testing.assert_allclose(embedder.embed(random_pixels(5)), expected, atol=1e-6)
    assert seen == sizes


@pytest.mark.parametrize(("count", "sizes"), [(1, [1]), (5, [16]), (16, [16]), (37, [32, 16])])
def test_passes_on_a_gpu_have_few_sizes_and_one_thread(
    path: Path, count: int, sizes: list[int]
) -> None:
    embedder = Embedder(path, precision="fp32")
    expected = embedder.embed(random_pixels(count))
    seen: list[tuple[int, str]] = []
    embedder._gpu_thread = ThreadPoolExecutor(1, thread_name_prefix="gpu")  # as on a GPU
    embedder._network.register_forward_pre_hook(
        lambda _, given: seen.append((len(given[0]), threading.current_thread().name))
    )
    np.testing.assert_allclose(embedder.embed(random_pixels(count)), expected, atol=1e-6)
    assert seen == [(size, "gpu_0") for size in sizes]


@pytest.mark.parametrize(
    ("most", "sizes"), [(1, [1]), (4, [1, 4]), (32, [1, 4, 16, 32]), (128, [1, 4, 16, 64, 128])]
)
def test_the_sizes_end_with_the_largest(most: int, sizes: list[int]) -> None:
    assert inference.pass_sizes(most) == sizes


def test_no_images_give_no_vectors(path: Path) -> None:
    assert Embedder(path).embed(random_pixels(0)).shape == (0, 8)


def test_pixels_that_do_not_fit(path: Path) -> None:
    embedder = Embedder(path)
    for bad in (random_pixels(1, 16, 16), random_pixels(1)[0], random_pixels(1)[..., :2]):
        with pytest.raises(ValueError, match=r"pixels must have the shape \(n, 16, 24, 3\)"):
            embedder.embed(bad)
    with pytest.raises(TypeError, match="uint8"):
        embedder.embed(random_pixels(1).astype(np.float32))


@pytest.mark.parametrize("device", ["gpu", "mps", "cuda:99"])
def test_devices_that_are_not_here(path: Path, device: str) -> None:
    with pytest.raises(ValueError, match="device"):
        Embedder(path, device=device)


def test_an_unknown_precision(path: Path) -> None:
    with pytest.raises(ValueError, match="precision must be one of auto, fp32, bf16"):
        Embedder(path, precision="int8")


def test_passes_share_the_cores(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        for cores, passes, threads in ((1, 1, 1), (2, 2, 1), (3, 3, 1), (8, 4, 2)):
            monkeypatch.setattr(inference, "_cores", lambda cores=cores: cores)
            embedder = Embedder(path)
            assert embedder.passes == passes
            embedder.share_cores(passes)
            assert torch.get_num_threads() == threads
            embedder.share_cores(1)
            assert torch.get_num_threads() == cores
    finally:
        torch.set_num_threads(before)
