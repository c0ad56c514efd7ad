"""Data sets named in one string, such as "fashion-mnist:/usr/share/datasets/fashion-mnist"."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cipherlens.crypto import PreparedSize
from cipherlens.model.data.corel10k import list_corel10k
from cipherlens.model.data.fashion_mnist import load_fashion_mnist
from cipherlens.model.data.images import (
    PreparedImages,
    list_folder,
    list_pictures,
    load_prepared,
)
from cipherlens.model.data.openclipart import load_openclipart
from cipherlens.model.errors import DataError

PREFIX = re.compile(r"([A-Za-z0-9-]+):(.*)", re.DOTALL)


class DataKind(StrEnum):
    """How a folder holds labelled images."""

    FOLDER = "folder"
    """A folder for each class."""

    PICTURES = "pictures"
    """Pictures at any depth, without classes."""

    FASHION_MNIST = "fashion-mnist"
    """The four gzipped IDX files of Fashion-MNIST."""

    COREL10K = "corel10k"
    """Pictures N.jpg, a hundred of each class."""

    OPENCLIPART = "openclipart"
    """The pictures of the Debian package openclipart-png."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSpec:
    """A kind of data set and the folder that holds it."""

    kind: DataKind
    path: Path


def parse_data_spec(text: str) -> DataSpec:
    """Return what "KIND:PATH" names; a text without a kind is the path of class folders.

    Raises:
        ValueError: if the kind is unknown or the path is missing.
    """
    kind, path = DataKind.FOLDER.value, text
    if match := PREFIX.fullmatch(text):
        kind, path = match.groups()
    if kind not in list(DataKind):
        raise ValueError(
            f"data must be one of {', '.join(f'{each}:PATH' for each in DataKind)}, got {text!r}"
        )
    if not path:
        raise ValueError(f"data needs a path, as in {kind}:PATH, got {text!r}")
    return DataSpec(kind=DataKind(kind), path=Path(path))


def load_data(
    spec: DataSpec,
    size: PreparedSize,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PreparedImages:
    """Return a data set's images prepared to a size.

    `progress` is called with the number of images done and of all images.

    Raises:
        DataError: if there is no such folder or it does not hold such data.
        OSError: if something cannot be read.
    """
    if not spec.path.is_dir():
        raise DataError(f"{spec.path} is not a folder")
    match spec.kind:
        case DataKind.FOLDER:
            return load_prepared(list_folder(spec.path), size, progress)
        case DataKind.PICTURES:
            return load_prepared(list_pictures(spec.path), size, progress)
        case DataKind.COREL10K:
            return load_prepared(list_corel10k(spec.path), size, progress)
        case DataKind.FASHION_MNIST:
            return load_fashion_mnist(spec.path, size, progress)
        case DataKind.OPENCLIPART:
            return load_openclipart(spec.path, size, progress)
