"""Fashion-MNIST: 60,000 + 10,000 grey pictures of clothes, 28x28, from its four IDX files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cipherlens.crypto import PreparedSize, prepare
from cipherlens.model.data.idx import read_idx
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
PARTS = ("train", "t10k")
"""The beginnings of the files' names; the second part is the makers' test set."""


def load_fashion_mnist(
    folder: Path,
    size: PreparedSize,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PreparedImages:
    """Return the images of both parts prepared to a size, the test set held out.

    Names are "train/00000" and so on, in the order of the files. `progress` is called with the
    number of images done and of all images.

    Raises:
        DataError: if a file is missing or damaged, or a label is no class.
        OSError: if a file cannot be read.
    """
    parts = [_read_part(folder, part) for part in PARTS]
    pictures = [picture for images, _ in parts for picture in images]
    # Greyscale pictures of one shape come out in one shape: one array holds them all.
    pixels = np.empty((len(pictures), *_prepared(pictures[0], size).shape), dtype=np.uint8)
    for index, picture in enumerate(pictures):
        pixels[index] = _prepared(picture, size)
        progress(index + 1, len(pictures))
    counts = [len(labels) for _, labels in parts]
    return PreparedImages(
        images=tuple(pixels),
        labels=np.concatenate([labels for _, labels in parts]).astype(np.int64),
        names=tuple(
            f"{part}/{number:05}"
            for part, count in zip(PARTS, counts, strict=True)
            for number in range(count)
        ),
        class_names=CLASS_NAMES,
        height=size.height,
        width=size.width,
        held_out=np.repeat([False, True], counts),
    )


def _read_part(folder: Path, part: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the pictures, (n, h, w), and the labels, (n,), of one part."""
    paths = [folder / f"{part}-{kind}-ubyte.gz" for kind in ("images-idx3", "labels-idx1")]
    for path in paths:
        if not path.is_file():
            raise DataError(f"{folder} is not Fashion-MNIST: it lacks {path.name}")
    images, labels = read_idx(paths[0], 3), read_idx(paths[1], 1)
    if len(images) != len(labels) or not images.size:
        raise DataError(f"{paths[0]} has {len(images)} images for {len(labels)} labels")
    if labels.max() >= len(CLASS_NAMES):
        raise DataError(
            f"{paths[1]} has the label {labels.max()}, the classes are 0 to {len(CLASS_NAMES) - 1}"
        )
    return images, labels


def _prepared(picture: NDArray[np.uint8], size: PreparedSize) -> NDArray[np.uint8]:
    return prepare(Image.fromarray(picture), size)
