"""From any picture to the array of pixels that is encrypted: preparation version 1.

1. Transpose as the EXIF orientation says.
2. Bring every mode to 8-bit RGB; what is transparent shows a white ground.
3. A picture higher than wide becomes a portrait, every other a landscape.
4. Warp it to the wanted size with Pillow's bicubic filter, rows first, then columns; nothing is
   cropped.

Grey pictures of more than 8 bits: 16-bit samples are scaled from 0..65535. Modes "I" and "F" say
nothing of their range: "I" counts as 16-bit samples if all fit, and else, as "F" always, the
darkest value becomes 0 and the brightest 255.
"""

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from cipherlens.base import open_regular
from cipherlens.crypto.errors import ImageError

DEFAULT_MAX_PIXELS = 100_000_000
"""Default limit of `open_image`: 300 MB as RGB."""

MAX_SCANS = 100
"""Scans of a JPEG that are decoded; common ones have 1 or 10."""

_WHITE = (255, 255, 255)
# Those that people keep pictures in; Pillow knows dozens, each a decoder for strangers to try, and
# hands one, EPS, to an interpreter that it finds on the system.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP")
_STRIP_PIXELS = 2**20
_PIECE_BYTES = 2**20
_SCAN_MARKER = b"\xff\xda"
_WARNING_FILTERS = threading.Lock()
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PreparedSize(Protocol):
    """What tells the size of a prepared landscape in pixels; a portrait has it turned."""

    @property
    def height(self) -> int:
        """The shorter side."""

    @property
    def width(self) -> int:
        """The longer side."""


def prepare(image: Image.Image, size: PreparedSize) -> npt.NDArray[np.uint8]:
    """Return the prepared pixels of a picture of any mode.

    Args:
        image: a picture; it is not changed.
        size: that of a landscape in pixels, such as a key's parameters.

    Returns:
        (height, width, 3) uint8 for a landscape or square, (width, height, 3) for a portrait.

    Raises:
        ImageError: the picture cannot be decoded or converted.
    """
    with _reasons("cannot be prepared"):
        upright = upright_rgb(image)
        sides = (size.width, size.height)
        if upright.height > upright.width:
            sides = (size.height, size.width)
        # Rows first, then columns: in one step the order, and with it the rounding, is Pillow's to
        # choose, and it chose otherwise from version 13 on.
        wide = upright.resize((sides[0], upright.height), Image.Resampling.BICUBIC)
        return np.array(wide.resize(sides, Image.Resampling.BICUBIC))


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return a picture of any mode the right way up, as RGB, its transparent parts on white.

    Raises:
        ImageError: it cannot be decoded or converted.
    """
    with _reasons("cannot be prepared"):
        # Reading EXIF would decode too, but under the lock, where errors are passed over.
        image.load()
        if 0 in image.size:
            raise ImageError("the picture has no pixels")
        return _to_rgb(_transpose(image))


def open_image(source: str | Path | bytes, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """Return a decoded picture, the first frame of an animated one.

    Args:
        source: a path, or the bytes of a file.
        max_pixels: limit on width x height as the file's header declares them, checked before
            anything is decoded. Pillow's own ceiling of about 179 million pixels stays.

    Raises:
        ImageError: unreadable, damaged, truncated or too large; gives the reason.
        ValueError: max_pixels is below 1.
    """
    if max_pixels < 1:
        raise ValueError(f"max_pixels must be at least 1, got {max_pixels}")
    with _reasons("cannot be read"):
        if isinstance(source, bytes):
            return _decode(io.BytesIO(source), max_pixels)
        with open_regular(Path(source)) as file:
            return _decode(file, max_pixels)


def declared_pixels(data: bytes) -> int:
    """Return width x height as the header of a picture file declares them; 0 if it is none."""
    try:
        with _undecoded(io.BytesIO(data)) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - what is wrong with it is told when it is opened
        return 0


def _decode(file: BinaryIO, max_pixels: int) -> Image.Image:
    """Return the picture of an open file, after a look at its declared size."""
    image = _undecoded(file)
    pixels = image.width * image.height
    if pixels > max_pixels:
        raise ImageError(f"the picture has {pixels:,} pixels, the limit is {max_pixels:,}")
    if image.format in {"JPEG", "MPO"}:
        _check_scans(file)
    image.load()
    return image


def _undecoded(file: BinaryIO) -> Image.Image:
    with _without_warnings():
        return Image.open(file, formats=_formats())


def _check_scans(file: BinaryIO) -> None:
    """Raise ImageError if a JPEG has many scans: 31 bytes make one, and it takes all pixels' time.

    The marker that begins a scan stands nowhere within one.
    """
    place = file.tell()
    file.seek(0)
    scans, last = 0, b""
    while data := file.read(_PIECE_BYTES):
        scans += (last + data).count(_SCAN_MARKER)
        last = data[-1:]
    file.seek(place)
    if scans > MAX_SCANS:
        raise ImageError(f"the picture has {scans:,} scans, the limit is {MAX_SCANS}")


@cache
def _formats() -> tuple[str, ...]:
    """Return the formats that are opened, of those that this Pillow was built with."""
    Image.init()
    return tuple(each for each in _FORMATS if each in Image.OPEN)


@contextmanager
def _reasons(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an ImageError that gives it as the reason."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:  # its text names an object of ours
        raise ImageError("it is not a picture of a known format") from error
    except Image.DecompressionBombError as error:
        raise ImageError("the picture has more pixels than Pillow decodes safely") from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ImageError(f"the picture {what}: {reason}") from error


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Silence what Pillow warns of while it reads headers: size and odd metadata.

    The lock is needed because the filters belong to the process: two threads that save and
    restore them at the same time could leave them silent for ever.
    """
    with _WARNING_FILTERS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _transpose(image: Image.Image) -> Image.Image:
    """Return the picture the right way up."""
    transposition = _TRANSPOSITIONS.get(_orientation(image))
    return image if transposition is None else image.transpose(transposition)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1, upright, where there is none that can be read."""
    with _without_warnings():
        try:
            value = image.getexif().get(ExifTags.Base.Orientation, 1)
        except Exception:  # noqa: BLE001 - damaged metadata is no reason to refuse the picture
            return 1
    return value if isinstance(value, int) else 1


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return the picture as RGB, transparent parts on white."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        image = _deep_grey(image)
    elif image.mode == "LAB":
        image = _lab_to_rgb(image)
    return on_white(image)


def on_white(image: Image.Image) -> Image.Image:
    """Return a copy of a picture as RGB, its transparent parts on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    layer = image.convert("RGBA")
    ground = Image.new("RGB", layer.size, _WHITE)
    ground.paste(layer, mask=layer.getchannel("A"))
    return ground


def _deep_grey(image: Image.Image) -> Image.Image:
    """Return a grey picture of more than 8 bits as "L"."""
    samples = np.asarray(image)
    # In strips: eight bytes a value, several times over, would take 2.5 GB for 100 million pixels.
    rows = max(1, _STRIP_PIXELS // image.width)
    strips = [slice(top, top + rows) for top in range(0, image.height, rows)]
    low = min(_finite(samples[strip]).min() for strip in strips)
    high = max(_finite(samples[strip]).max() for strip in strips)
    if image.mode != "F" and low >= 0 and high <= 65535:
        low, high = 0.0, 65535.0
    grey = np.empty(samples.shape, np.uint8)
    for strip in strips:
        values = _finite(samples[strip])
        grey[strip] = np.rint((values - low) * (255 / (high - low or 1.0)))
        grey[strip][values == image.info.get("transparency", np.nan)] = 255
    return Image.fromarray(grey)


def _finite(samples: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return samples as numbers: 0 for NaN, the largest ones for infinities."""
    with np.errstate(invalid="ignore"):  # of NaN there are some that warn when they are copied
        return np.nan_to_num(samples.astype(np.float64))


def _lab_to_rgb(image: Image.Image) -> Image.Image:
    """Return a CIELAB picture as RGB; Pillow's own conversion does not know the mode."""
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    result = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    if result is None:
        raise ImageError("the picture is CIELAB and cannot be converted")
    return result
