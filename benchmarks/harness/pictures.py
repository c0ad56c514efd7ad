"""The labelled pictures that the papers' tables are measured on in place of Corel10K."""

import os
from pathlib import Path

import numpy as np

from benchmarks.harness.places import SAMPLES
from cipherlens.crypto import CipherParameters, PreparedSize
from cipherlens.model.data.data_spec import load_data, parse_data_spec
from cipherlens.model.data.fashion_mnist import load_fashion_mnist
from cipherlens.model.data.images import PreparedImages, list_folder, load_prepared

OPENCLIPART = "/usr/share/openclipart/png"
FASHION_MNIST = "/usr/share/datasets/fashion-mnist"


def samples(size: PreparedSize) -> PreparedImages:
    """Return the demo's pictures, which every checkout has."""
    return load_prepared(list_folder(SAMPLES), size)


def openclipart(size: PreparedSize) -> PreparedImages:
    """Return the listed pictures of OpenClipart, from OPENCLIPART or where Debian puts them."""
    folder = os.environ.get("OPENCLIPART", OPENCLIPART)
    return load_data(parse_data_spec(f"openclipart:{folder}"), size)


def fashion_mnist_folder() -> Path:
    """Return where the files of Fashion-MNIST lie."""
    return Path(os.environ.get("FASHION_MNIST", FASHION_MNIST))


def fashion_mnist(size: int, *, every: int = 1) -> PreparedImages:
    """Return Fashion-MNIST, from FASHION_MNIST or where Debian puts it, as size x size pictures.

    `every` takes one of so many of its training pictures, and all that its makers test with.
    """
    prepared = CipherParameters(height=size, width=size, substituted_blocks=0)
    data = load_fashion_mnist(fashion_mnist_folder(), prepared)
    if every == 1:
        return data
    held_out = np.asarray(data.held_out, bool)
    learned, tested = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    return data.take(np.concatenate([learned[::every], tested]))


def pictures(profile: str, size: PreparedSize) -> tuple[str, PreparedImages]:
    """Return a profile's pictures and their name: OpenClipart for "full", the demo's else."""
    if profile == "full":
        return "OpenClipart", openclipart(size)
    return "demo/samples", samples(size)


def described(name: str, data: PreparedImages) -> dict[str, object]:
    """Return what the raw figures say of a set of pictures."""
    return {
        "name": name,
        "pictures": len(data),
        "classes": len(data.class_names),
        "height": data.height,
        "width": data.width,
        "digest": data.digest(),
    }
