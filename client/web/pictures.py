"""What is shown of an item: the decrypted picture, and what the server has in its place."""

import io
import math
import threading
from collections import OrderedDict

import numpy as np
import numpy.typing as npt
from PIL import Image

from cipherlens.client.core.item import Item, ItemView
from cipherlens.client.web.album import Album
from cipherlens.crypto import Original, open_image
from cipherlens.crypto.preparation import upright_rgb

MAX_SIDE = 2048
"""Longest side of a picture that is shown, in pixels; the original is there to be downloaded."""

_QUALITY = 86
_CACHE_BYTES = 64 * 2**20
_CELL = 12


class Pictures:
    """Pictures of one album, as JPEG or PNG files; the last ones shown are kept in memory."""

    def __init__(self, album: Album) -> None:
        """Take the album."""
        self._album = album
        self._lock = threading.Lock()  # guards what follows
        self._kept: OrderedDict[tuple[str, int, int], bytes] = OrderedDict()
        self._kept_bytes = 0

    def original(self, item_id: str) -> Original:
        """Return the original of an item, or a PNG of its cipher-image where there is no seal.

        Raises:
            NotGenuine: it is not, or not provably, what the owner stored.
            NotFound: it is not there.
        """
        item = self._album.item(item_id)
        return self._album.client.restore(item, manifest=self._album.vouching.manifest)

    def shown(self, item_id: str, side: int) -> bytes:
        """Return the decrypted picture of an item as a JPEG, its longest side at most `side`.

        Raises what `original` does, and ImageError if it is no picture.
        """
        (entry,) = self._album.named([item_id]).values() or (None,)
        key = (item_id, -1 if entry is None else entry.revision, side)
        with self._lock:
            if (known := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return known
        made = preview(self.original(item_id).data, side)
        self._keep(key, made)
        return made

    def seen(self, item_id: str) -> bytes:
        """Return what the server compares an item by, as a PNG to look at."""
        return png_of(seen_of(self._album.item(item_id, ItemView.CONTENT)))

    def _keep(self, key: tuple[str, int, int], data: bytes) -> None:
        with self._lock:
            self._kept_bytes += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self._kept_bytes > _CACHE_BYTES:
                _, dropped = self._kept.popitem(last=False)
                self._kept_bytes -= len(dropped)


def preview(data: bytes, side: int) -> bytes:
    """Return a picture file as a JPEG whose longest side is at most `side` pixels.

    It is made anew of pixels, so that nothing in the file but its picture reaches a browser.

    Raises:
        ImageError: it is no picture.
        ValueError: side is not 1 to `MAX_SIDE`.
    """
    if not 1 <= side <= MAX_SIDE:
        raise ValueError(f"side must be 1 to {MAX_SIDE}, got {side}")
    with open_image(data) as image:
        small = upright_rgb(image)
    small.thumbnail((side, side))
    small.info.clear()  # Pillow would write a comment of the file into the new one
    file = io.BytesIO()
    small.save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()


def png_of(image: Image.Image) -> bytes:
    """Return a picture as a PNG file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def seen_of(item: Item) -> Image.Image:
    """Return what a server compares an item by, as it may be looked at."""
    if item.cipher_image is not None:
        return item.cipher_image.view()
    if item.code is not None:
        return code_view(item.code)
    assert item.vector is not None
    return vector_view(item.vector)


def code_view(code: npt.NDArray[np.uint8]) -> Image.Image:
    """Return the bits of a code, (ceil(bits / 8),) uint8, as dark and light cells in rows of 8."""
    return _cells(np.unpackbits(code, bitorder="little").astype(float))


def vector_view(vector: npt.NDArray[np.float32]) -> Image.Image:
    """Return the numbers of a vector, (dimension,), as grey cells in a square."""
    spread = float(np.abs(vector).max()) or 1.0
    return _cells((vector.astype(float) / spread + 1) / 2)


def _cells(values: npt.NDArray[np.float64]) -> Image.Image:
    """Return values of 0 to 1 as grey cells, in as many columns as rows or 8."""
    columns = max(8, math.isqrt(len(values)))
    padded = np.ones(-len(values) % columns + len(values))
    padded[: len(values)] = values
    grey = np.rint(padded.reshape(-1, columns) * 215 + 20).astype(np.uint8)
    return Image.fromarray(grey.repeat(_CELL, axis=0).repeat(_CELL, axis=1))
