import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cipherlens.crypto import CipherParameters
from cipherlens.model.data.fashion_mnist import load_fashion_mnist
from cipherlens.model.errors import DataError

PARAMETERS = CipherParameters(height=32, width=32, block_size=8, substituted_blocks=4)
INSTALLED = Path("/usr/share/datasets/fashion-mnist")  # the Debian package dataset-fashion-mnist


def write_idx(path: Path, values: np.ndarray) -> None:
    head = bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes()))


def write_part(folder: Path, part: str, images: np.ndarray, labels: list[int]) -> None:
    write_idx(folder / f"{part}-images-idx3-ubyte.gz", images)
    write_idx(folder / f"{part}-labels-idx1-ubyte.gz", np.array(labels, dtype=np.uint8))


@pytest.fixture
def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 28, 28), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, pictures: np.ndarray) -> Path:
    write_part(tmp_path, "train", pictures[:3], [9, 0, 1])
    write_part(tmp_path, "t10k", pictures[3:], [0, 9])
    return tmp_path


def test_both_parts_come_prepared_and_the_test_set_is_held_out(
    folder: Path, pictures: np.ndarray
) -> None:
    seen: list[tuple[int, int]] = []
    images = load_fashion_mnist(folder, PARAMETERS, lambda done, total: seen.append((done, total)))
    assert images.names == ("train/00000", "train/00001", "train/00002", "t10k/00000", "t10k/00001")
    assert images.labels.tolist() == [9, 0, 1, 0, 9]
    assert images.labels.dtype == np.int64
    assert images.held_out is not None
    assert images.held_out.tolist() == [False, False, False, True, True]
    assert (images.height, images.width, len(images.class_names)) == (32, 32, 10)
    assert images.class_names[9] == "Ankle boot"
    assert seen == [(number, 5) for number in range(1, 6)]
    for image, picture in zip(images.images, pictures, strict=True):
        grey = Image.fromarray(picture).resize((32, 32), Image.Resampling.BICUBIC)
        assert np.array_equal(image, np.repeat(np.array(grey)[:, :, None], 3, axis=2))


@pytest.mark.parametrize("name", ["train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz"])
def test_a_file_is_missing(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=f"is not Fashion-MNIST: it lacks {name}"):
        load_fashion_mnist(folder, PARAMETERS)


def test_labels_that_do_not_fit(folder: Path, pictures: np.ndarray) -> None:
    write_part(folder, "train", pictures[:3], [1, 2])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz has 3 images for 2 labels"):
        load_fashion_mnist(folder, PARAMETERS)
    write_part(folder, "train", pictures[:3], [1, 2, 10])
    with pytest.raises(DataError, match="has the label 10, the classes are 0 to 9"):
        load_fashion_mnist(folder, PARAMETERS)
    write_part(folder, "train", pictures[:0], [])
    with pytest.raises(DataError, match="has 0 images"):
        load_fashion_mnist(folder, PARAMETERS)


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_the_real_files() -> None:
    images = load_fashion_mnist(INSTALLED, PARAMETERS)
    assert images.held_out is not None
    assert (len(images), int(images.held_out.sum())) == (70_000, 10_000)
    assert np.bincount(images.labels[images.held_out]).tolist() == [1_000] * 10
    assert np.bincount(images.labels[~images.held_out]).tolist() == [6_000] * 10
    assert images.labels[:5].tolist() == [9, 0, 0, 3, 0]
