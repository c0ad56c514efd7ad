"""Picture files at the owner's doors, and at those of his own machine."""

import io

import numpy as np
from PIL import Image

from cipherlens.client.picture import prepare_picture
from cipherlens.crypto import ImageError
from cipherlens.server.encryption.pictures import read_picture
from cipherlens.server.errors import InvalidField
from tests.fuzz.doors.keys import PARAMETERS
from tests.fuzz.target import Target

_KINDS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "PPM", "TGA", "WEBP", "AVIF", "JPEG2000")
_MODES = ("1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB")


def picture(_folder):
    """A picture file: InvalidField at the service's door, or pixels of the prepared size."""
    return Target(name="picture", seeds=pictures(), attempt=_prepared, most_bytes=8192)


def pictures():
    """Return small files of every format and mode that Pillow writes here."""
    rng = np.random.default_rng(0)
    plain = Image.fromarray(rng.integers(0, 256, (6, 9, 3), np.uint8))
    found = []
    for kind in _KINDS:
        for mode in _MODES:
            file = io.BytesIO()
            try:
                plain.convert(mode).save(file, kind)
            except (OSError, ValueError, KeyError):
                continue
            found.append(file.getvalue())
    return [*found, _rotated(plain), _animated(plain)]


def _rotated(plain):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    plain.save(file, "JPEG", exif=exif)
    return file.getvalue()


def _animated(plain):
    file = io.BytesIO()
    plain.save(file, "GIF", save_all=True, append_images=[plain.rotate(90), plain.rotate(180)])
    return file.getvalue()


def _prepared(data):
    try:
        pixels, media_type = read_picture("images[0].data", data, PARAMETERS)
    except InvalidField as error:
        assert error.field == "images[0].data"
        assert _is_refused_here_too(data)
        return False
    assert pixels.shape in ((16, 32, 3), (32, 16, 3))
    assert pixels.dtype == np.uint8
    assert media_type.isascii()
    return True


def _is_refused_here_too(data):
    try:
        prepare_picture(data, PARAMETERS)
    except ImageError:
        return True
    return False
