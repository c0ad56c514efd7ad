"""Prepared pictures kept on disk: decoded once, and then in memory once for all processes.

A file has, in this order: 4 bytes "CLPX", the version as u16, the length of a JSON header as u64
(both little-endian), the header, and the pixels of all pictures, each height * width * 3 bytes.
They are plain: whoever can read the file has them, so it is its owner's alone (mode 0600).
"""

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cipherlens.base import replace_file
from cipherlens.crypto import PreparedSize
from cipherlens.model.data.data_spec import DataSpec, load_data
from cipherlens.model.data.images import PreparedImages

MAGIC = b"CLPX"
VERSION = 1
_HEAD = struct.Struct("<4sHQ")


def load_decoded(
    spec: DataSpec,
    size: PreparedSize,
    cache: Path,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> PreparedImages:
    """Return what `load_data` does, from a file in the folder `cache` if it was decoded before.

    The pixels stay in the file, of which the system keeps in memory what is used. A file that does
    not fit the names, lengths and times of what is below the data's folder is not looked at, one
    that is damaged is written again; `progress` is then called as by `load_data`.

    Raises:
        DataError: as `load_data` does.
        OSError: if something cannot be read, or the file not be written.
    """
    path = cache / f"{_stamp(spec, size)}.pictures"
    found = _kept(path)
    if found is None:
        cache.mkdir(parents=True, exist_ok=True)
        images = load_data(spec, size, progress)
        replace_file(path, *_pieces(images), new_mode=0o600)
        found = _kept(path)
    return images if found is None else found


def _stamp(spec: DataSpec, size: PreparedSize) -> str:
    """Return 32 hex digits that change with the size, and any file's name, length or time."""
    digest = hashlib.sha256(
        f"{spec.kind} {spec.path.absolute()} {size.height}x{size.width}".encode()
    )
    for path in sorted(spec.path.rglob("*")):
        if path.is_file():
            facts = path.stat()
            digest.update(
                f"\n{path.relative_to(spec.path)} {facts.st_size} {facts.st_mtime_ns}".encode()
            )
    return digest.hexdigest()[:32]


def _pieces(images: PreparedImages) -> Iterator[bytes]:
    """Yield the bytes of a file, piece by piece."""
    digest = hashlib.sha256()
    for image in images.images:
        digest.update(image.tobytes())
    header = {
        "portrait": [image.shape[0] > image.shape[1] for image in images.images],
        "labels": images.labels.tolist(),
        "names": images.names,
        "class_names": images.class_names,
        "height": images.height,
        "width": images.width,
        "skipped": images.skipped,
        "held_out": None if images.held_out is None else images.held_out.tolist(),
        "sha256": digest.hexdigest(),
    }
    text = json.dumps(header).encode()
    yield _HEAD.pack(MAGIC, VERSION, len(text)) + text
    for image in images.images:
        yield image.tobytes()


def _kept(path: Path) -> PreparedImages | None:
    """Return the pictures in a file, None if there is none or it is damaged."""
    try:
        with path.open("rb") as file:
            magic, version, length = _HEAD.unpack(file.read(_HEAD.size))
            if (magic, version) != (MAGIC, VERSION):
                return None
            header = json.loads(file.read(length))
        pixels: NDArray[np.uint8] = np.memmap(path, np.uint8, "r", _HEAD.size + length)
        if hashlib.sha256(pixels.data).hexdigest() != header["sha256"]:
            return None
        return _pictures(header, pixels)
    except (FileNotFoundError, ValueError, KeyError, TypeError, struct.error, MemoryError):
        return None


def _pictures(header: dict[str, Any], pixels: NDArray[np.uint8]) -> PreparedImages:
    height, width = header["height"], header["width"]
    shapes = [(width, height, 3) if each else (height, width, 3) for each in header["portrait"]]
    rows = pixels.reshape(len(shapes), -1)
    held_out = header["held_out"]
    return PreparedImages(
        images=tuple(row.reshape(shape) for row, shape in zip(rows, shapes, strict=True)),
        labels=np.array(header["labels"], dtype=np.int64),
        names=tuple(header["names"]),
        class_names=tuple(header["class_names"]),
        height=height,
        width=width,
        skipped=tuple((name, reason) for name, reason in header["skipped"]),
        held_out=None if held_out is None else np.array(held_out, dtype=np.bool_),
    )
