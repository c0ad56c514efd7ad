"""The labelled pictures that the papers' tables are measured on in place of Corel10K."""

import os
from pathlib import Path

from cipherlens.crypto import PreparedSize
from cipherlens.model.data.data_spec import load_data, parse_data_spec
from cipherlens.model.data.images import PreparedImages, list_folder, load_prepared

SAMPLES = Path(__file__).parents[1] / "demo" / "samples"
OPENCLIPART = "/usr/share/openclipart/png"


def samples(size: PreparedSize) -> PreparedImages:
    """Return the demo's pictures, which every checkout has."""
    return load_prepared(list_folder(SAMPLES), size)


def openclipart(size: PreparedSize) -> PreparedImages:
    """Return the listed pictures of OpenClipart, from OPENCLIPART or where Debian puts them."""
    folder = os.environ.get("OPENCLIPART", OPENCLIPART)
    return load_data(parse_data_spec(f"openclipart:{folder}"), size)


def pictures(profile: str, size: PreparedSize) -> PreparedImages:
    """Return the pictures of a profile: the demo's for "quick", OpenClipart for "full"."""
    return openclipart(size) if profile == "full" else samples(size)


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
