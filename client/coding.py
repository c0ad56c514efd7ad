"""Pictures on their way into binary codes: read by the owner's hash network, sealed beside them."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cipherlens.base import Kind
from cipherlens.client.core.batches import batched
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Place
from cipherlens.client.core.pictures import CodedPicture
from cipherlens.client.masking import Masks
from cipherlens.client.picture import Picture, PreparedPicture, prepare_query, seal_beside
from cipherlens.crypto import Key, companion_digest

Codes = npt.NDArray[np.uint8]


class CodeMaker(Protocol):
    """A hash network at work, such as `cipherlens.model.hash_encoder.HashEncoder`."""

    @property
    def height(self) -> int:
        """The height of a prepared landscape picture."""

    @property
    def width(self) -> int:
        """The width of a prepared landscape picture."""

    @property
    def bits(self) -> int:
        """The length of a code."""

    @property
    def digest(self) -> str:
        """SHA-256 of the network, 64 hex digits."""

    def encode(self, pixels: npt.NDArray[np.uint8], /) -> Codes:
        """Return (n, ceil(bits / 8)) uint8 codes of (n, h, w, 3) uint8 pictures of one shape."""


def make_codes(pictures: Iterable[Picture], encoder: CodeMaker) -> Codes:
    """Return the codes of plain pictures, (n, ceil(bits / 8)) uint8, in their order.

    This is HashGen of the DLHEIR paper, and TrapGen where the pictures are queries. Pictures are
    read as they are needed.

    Raises:
        ImageError: a picture cannot be read.
        OSError: a file cannot be opened.
    """
    prepared = (prepare_query(picture, encoder) for picture in pictures)
    rows = [_encoded(batch, encoder) for batch in batched(prepared, lambda pixels: pixels.nbytes)]
    return np.concatenate([_encoded([], encoder), *rows])


def code_pictures(
    pictures: Sequence[PreparedPicture],
    encoder: CodeMaker,
    key: Key,
    places: Sequence[Place],
    where: Collection | None = None,
) -> list[CodedPicture]:
    """Return the codes of pictures, their originals sealed for their places beside them.

    Args:
        pictures: what `prepare_picture` returned for this network; one without an original gets
            no seal.
        encoder: the hash network.
        key: seals the originals.
        places: one for each picture.
        where: the collection, whose mask they are put under if it has one; None for no mask.
    """
    codes, mask = _encoded([picture.pixels for picture in pictures], encoder), ""
    if where is not None and where.mask_id:
        codes, mask = np.asarray(Masks(key).masked(where, codes), np.uint8), where.mask_id
    return [
        CodedPicture(
            code=code,
            mask_id=mask,
            sealed_original=seal_beside(
                picture.original, companion_digest(code.tobytes()), key, place
            ),
        )
        for code, picture, place in zip(codes, pictures, places, strict=True)
    ]


def check_encoder(where: Collection, encoder: CodeMaker) -> None:
    """Return if the codes of a hash network are what a collection holds.

    Raises:
        ValueError: they are not; names both.
    """
    if where.kind is not Kind.CODE:
        raise ValueError(f"collection {where.name!r} holds items of kind {where.kind}, not codes")
    if where.bits != encoder.bits:
        raise ValueError(
            f"collection {where.name!r} holds codes of {where.bits} bits, "
            f"the hash network makes {encoder.bits}"
        )
    stated = where.active.model_digest.hex() if where.active else ""
    if stated and stated != encoder.digest:
        raise ValueError(
            f"collection {where.name!r} holds codes of hash network {stated}, "
            f"this one is {encoder.digest}"
        )


def _encoded(pixels: Sequence[npt.NDArray[np.uint8]], encoder: CodeMaker) -> Codes:
    """Return the codes of prepared pictures of either orientation, in their order."""
    codes = np.empty((len(pixels), -(-encoder.bits // 8)), np.uint8)
    for shape in {each.shape for each in pixels}:
        numbers = [number for number, each in enumerate(pixels) if each.shape == shape]
        codes[numbers] = encoder.encode(np.stack([pixels[number] for number in numbers]))
    return codes
