"""Picture files that callers send, prepared."""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cipherlens.crypto import ImageError, PreparedSize, open_image, prepare
from cipherlens.crypto.preparation import DEFAULT_MAX_PIXELS
from cipherlens.server.encryption.decoding import DecodedPixels
from cipherlens.server.errors import InvalidField

_ANY_FILE = "application/octet-stream"
# Of the process, as its memory is: whatever service and call a picture comes with.
_DECODED = DecodedPixels(DEFAULT_MAX_PIXELS)


def read_picture(field: str, data: bytes, size: PreparedSize) -> tuple[NDArray[np.uint8], str]:
    """Return a picture file's pixels, (height, width, 3) uint8 of that size, and its media type.

    Raises InvalidField naming the field if it is no picture or too large, QueueFull where too much
    is being decoded for others.
    """
    with _DECODED.room(_declared_pixels(data)):
        try:
            picture = open_image(data)
            pixels = prepare(picture, size)
        except ImageError as error:
            raise InvalidField(field, str(error)) from error
        return pixels, Image.MIME.get(picture.format or "", _ANY_FILE)


def _declared_pixels(data: bytes) -> int:
    """Return what a file's header declares, at most what is decoded; 0 for what is no picture."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data)) as header:
            pixels: int = header.width * header.height
    except Exception:  # noqa: BLE001 - what is wrong with it is told when it is opened
        return 0
    return min(pixels, DEFAULT_MAX_PIXELS)
