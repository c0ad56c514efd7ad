"""Pictures on their way to a server: read, prepared, encrypted, sealed."""

import io
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cipherlens.base import read_regular
from cipherlens.client.core.item import Place
from cipherlens.client.core.pictures import EncryptedPicture
from cipherlens.crypto import (
    ImageCipher,
    Key,
    Original,
    PreparedSize,
    SealedContext,
    open_image,
    prepare,
    seal,
)

MAX_PICTURE_BYTES = 256 * 2**20
"""The largest picture file that is read."""

_UNKNOWN_MEDIA_TYPE = "application/octet-stream"


@dataclass(frozen=True, eq=False, kw_only=True, slots=True)
class PreparedPicture:
    """A picture ready to be encrypted, or to be read by a hash network.

    Attributes:
        pixels: (height, width, 3) uint8, as `crypto.prepare` returns them.
        original: the file that is sealed beside it, if it is wanted.
    """

    pixels: npt.NDArray[np.uint8] = field(repr=False)
    original: Original | None = None

    @property
    def size_bytes(self) -> int:
        """Return what it takes in memory."""
        return self.pixels.nbytes + (len(self.original.data) if self.original else 0)


Picture = Image.Image | Path | str | bytes | PreparedPicture
"""A Pillow image, the path of a picture file, the bytes of one, or what was prepared before."""


LOCAL_PLACE = Place(collection_uuid=uuid.UUID(int=0), item_id="file", revision=0)
"""Where originals stand that are kept as files: bound to the cipher-image beside them alone."""


def prepare_picture(picture: Picture, size: PreparedSize) -> PreparedPicture:
    """Return a picture prepared to the size of a key or of a hash network, with its original.

    The original of a path or of bytes is the file as it is, that of a Pillow image a PNG of it.

    Raises:
        ImageError: it cannot be read or prepared; gives the reason.
        OSError: the file cannot be opened.
    """
    if isinstance(picture, PreparedPicture):
        return picture
    if isinstance(picture, Image.Image):
        return PreparedPicture(pixels=prepare(picture, size), original=_png_original(picture))
    data = file_bytes(picture)
    with open_image(data) as image:
        return PreparedPicture(pixels=prepare(image, size), original=_file_original(data, image))


def prepare_query(picture: Picture, size: PreparedSize) -> npt.NDArray[np.uint8]:
    """Return the prepared pixels of a picture, as `prepare_picture` does, without its original."""
    if isinstance(picture, Image.Image):
        return prepare(picture, size)
    return prepare_picture(picture, size).pixels


def read_original(picture: Picture | Original) -> Original:
    """Return what is sealed of a picture; an original as it is.

    Raises:
        ImageError: the file is no picture.
        OSError: the file cannot be opened.
        ValueError: the picture was prepared without its original.
    """
    if isinstance(picture, Original):
        return picture
    if isinstance(picture, Image.Image):
        return _png_original(picture)
    if isinstance(picture, PreparedPicture):
        if picture.original is None:
            raise ValueError("the prepared picture has no original to seal")
        return picture.original
    data = file_bytes(picture)
    with open_image(data) as image:
        return _file_original(data, image)


def encrypt_pictures(
    pictures: Sequence[PreparedPicture],
    key: Key,
    cipher: ImageCipher,
    places: Sequence[Place] | None = None,
) -> list[EncryptedPicture]:
    """Return pictures encrypted under a key, their originals sealed for their places.

    Args:
        pictures: what `prepare_picture` returned for this key's parameters.
        key: seals the originals.
        cipher: the image cipher of the key.
        places: one for each picture; None seals nothing.
    """
    images = cipher.encrypt_images([picture.pixels for picture in pictures])
    if places is None:
        return [EncryptedPicture(cipher_image=image) for image in images]
    return [
        EncryptedPicture(
            cipher_image=image,
            sealed_original=seal_beside(picture.original, image.digest(), key, place),
        )
        for image, picture, place in zip(images, pictures, places, strict=True)
    ]


def seal_beside(original: Original | None, companion: bytes, key: Key, place: Place) -> bytes:
    """Return an original sealed for its place beside a companion of a 32-byte digest.

    Where there is no original there is nothing to seal: empty.
    """
    if original is None:
        return b""
    context = sealed_context(place, companion)
    return seal(original, key, context)


def sealed_context(place: Place, companion: bytes) -> SealedContext:
    """Return the context of a place beside a companion of a 32-byte digest."""
    return SealedContext(**asdict(place), companion_digest=companion)


def file_bytes(picture: Path | str | bytes) -> bytes:
    """Return the bytes of a picture file, of which there may be `MAX_PICTURE_BYTES`.

    Raises:
        OSError: it cannot be read, is larger, or is no regular file.
    """
    if isinstance(picture, bytes):
        return picture
    return read_regular(Path(picture), MAX_PICTURE_BYTES)


def reason_of(error: Exception) -> str:
    """Return why a file cannot be taken, without its path."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def png_bytes(image: Image.Image) -> bytes:
    """Return a picture as a PNG file; a mode that PNG does not know becomes RGB."""
    known = image.mode in {"1", "L", "LA", "I", "I;16", "P", "RGB", "RGBA"}
    file = io.BytesIO()
    (image if known else image.convert("RGB")).save(file, "PNG")
    return file.getvalue()


def _file_original(data: bytes, image: Image.Image) -> Original:
    """Return a picture file as it is, with the media type that its decoder found."""
    media_type = Image.MIME.get(image.format or "", _UNKNOWN_MEDIA_TYPE)
    return Original(media_type=media_type, data=data)


def _png_original(image: Image.Image) -> Original:
    """Return a Pillow image as a PNG, for it has no file of its own."""
    return Original(media_type="image/png", data=png_bytes(image))
