"""Picture files that callers send, prepared."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cipherlens.crypto import ImageError, PreparedSize, open_image, prepare
from cipherlens.crypto.preparation import DEFAULT_MAX_PIXELS, declared_pixels
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
    # One that declares more is refused before it is decoded.
    with _DECODED.room(min(declared_pixels(data), DEFAULT_MAX_PIXELS)):
        try:
            picture = open_image(data)
            pixels = prepare(picture, size)
        except ImageError as error:
            raise InvalidField(field, str(error)) from error
        return pixels, Image.MIME.get(picture.format or "", _ANY_FILE)
