"""OpenClipart: drawings of the Debian package openclipart-png, their classes and a fixed test part.

The list beside this module says which pictures count; `openclipart_list` made it and says how.
"""

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cipherlens.crypto import ImageError, PreparedSize, open_image, prepare
from cipherlens.model.data.drawings import without_margins
from cipherlens.model.data.images import PreparedImages
from cipherlens.model.errors import DataError

PACKAGE = "openclipart-png 1:0.18+dfsg-19"
FOLDER = Path("/usr/share/openclipart/png")
"""Where the package puts its pictures."""

MAX_PIXELS = 20_000_000
"""Larger pictures are left out: a few flat drawings of 40 to 170 million pixels."""

LIST = "openclipart.csv"
COLUMNS = ("path", "class", "part", "difference_hash", "sha256")
PARTS = ("train", "test")


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """A line of the list: a picture's path within the package, its class and its part.

    `difference_hash` is that of the picture without its margins; `sha256` the first 16 hex digits
    of the file's digest, which tell the package's version from another.
    """

    path: str
    class_name: str
    part: str
    difference_hash: int
    sha256: str


def read_list() -> tuple[Drawing, ...]:
    """Return the lines of the list, in order of class and path."""
    text = files("cipherlens.model.data").joinpath(LIST).read_text(encoding="utf-8")
    return tuple(
        Drawing(
            path=line["path"],
            class_name=line["class"],
            part=line["part"],
            difference_hash=int(line["difference_hash"], 16),
            sha256=line["sha256"],
        )
        for line in csv.DictReader(text.splitlines())
    )


def load_openclipart(
    folder: Path,
    size: PreparedSize,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PreparedImages:
    """Return the listed drawings without their margins, prepared to a size, the test part held out.

    `progress` is called with the number of drawings done and of all drawings.

    Raises:
        DataError: if a listed picture is missing, or not the one that the list was made from.
        OSError: if a picture cannot be read.
    """
    drawings = read_list()
    class_names = sorted({each.class_name for each in drawings})
    images = []
    for drawing in drawings:
        images.append(_prepared(folder, drawing, size))
        progress(len(images), len(drawings))
    return PreparedImages(
        images=tuple(images),
        labels=np.array([class_names.index(each.class_name) for each in drawings], dtype=np.int64),
        names=tuple(each.path for each in drawings),
        class_names=tuple(class_names),
        height=size.height,
        width=size.width,
        held_out=np.array([each.part == "test" for each in drawings]),
    )


def short_digest(data: bytes) -> str:
    """Return the first 16 hex digits of a file's SHA-256 digest."""
    return hashlib.sha256(data).hexdigest()[:16]


def _prepared(folder: Path, drawing: Drawing, size: PreparedSize) -> NDArray[np.uint8]:
    """Return a drawing's pixels.

    Raises:
        DataError: if it is missing or another than the list was made from.
    """
    path = folder / drawing.path
    if not path.is_file():
        raise DataError(f"{folder} is not {PACKAGE}: it lacks {drawing.path}")
    data = path.read_bytes()
    if short_digest(data) != drawing.sha256:
        raise DataError(f"{path} is not the picture of {PACKAGE}, from which the list was made")
    try:
        return prepare(without_margins(open_image(data, MAX_PIXELS)), size)
    except ImageError as error:
        raise DataError(f"{path}: {error}") from error
