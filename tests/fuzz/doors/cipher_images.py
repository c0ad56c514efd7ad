"""Files of cipher-images, and of sealed originals with all that they open with."""

from random import Random

import numpy as np
from blake3 import blake3

from cipherlens.base import Scope
from cipherlens.client.core.item import Item
from cipherlens.client.sealed_file import read_sealed_file, sealed_file
from cipherlens.crypto import (
    CipherImage,
    CipherMismatch,
    CipherParameters,
    FormatError,
    ImageCipher,
)
from tests.fuzz.doors.keys import COLLECTION, OWNER, PARAMETERS
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.target import Target

_CHECKSUM = 32


def cipher_image(_folder):
    """Bytes of a `.cimg` file: a FormatError, or an image that is written as it was read."""
    cipher = ImageCipher(OWNER)
    return Target(
        name="cipher-image",
        seeds=[each.to_bytes() for each in _images(cipher)],
        attempt=lambda data: _read_and_decrypted(data, cipher),
        mutate=_with_checksum,
    )


def sealed_original_file(_folder):
    """Bytes of a `.sealed` file: a FormatError, or an item that is written as it was read."""
    (image, *_) = _images(ImageCipher(OWNER))
    contents = [{"cipher_image": image}, {"code": np.arange(6, dtype=np.uint8)}, {}]
    items = [
        Item(
            collection_uuid=COLLECTION,
            item_id="fruit/äpfel.png",
            revision=3,
            sequence=0,
            owner_tag=b"tag",
            sealed_original=b"sealed",
            **content,
        )
        for content in contents
    ]
    return Target(
        name="sealed-file",
        seeds=[sealed_file(each) for each in items],
        attempt=_item_again,
        mutate=_with_checksum,
    )


def _images(cipher):
    rng = np.random.default_rng(0)
    for shape in ((16, 32, 3), (32, 16, 3)):
        yield cipher.encrypt_image(rng.integers(0, 256, shape, np.uint8))
    other = CipherParameters(
        height=8, width=8, block_size=4, substituted_blocks=0, scope=Scope.COLLECTION
    )
    yield CipherImage(
        parameters=other,
        key_fingerprint=bytes(16),
        height=8,
        width=8,
        nonce=bytes(16),
        pixels=rng.integers(0, 256, (8, 8, 3), np.uint8),
    )


def _read_and_decrypted(data, cipher):
    try:
        image = CipherImage.from_bytes(data)
    except FormatError:
        return False
    assert image.to_bytes() == data
    try:
        pixels = cipher.decrypt_image(image)
    except CipherMismatch:
        return True
    assert image.parameters == PARAMETERS
    assert pixels.shape == image.pixels.shape
    return True


def _item_again(data):
    try:
        item = read_sealed_file(data)
    except FormatError:
        return False
    assert sealed_file(item) == data
    return True


def _with_checksum(data: bytes, rng: Random) -> bytes:
    """Return a file that was changed, mostly with the checksum that then fits."""
    if rng.random() < 0.1:
        return mutated_bytes(data, rng)
    # Most of what can go wrong is said in the first bytes.
    edge = rng.choice((48, 80, 120, len(data)))
    body = data[:-_CHECKSUM]
    body = mutated_bytes(body[:edge], rng) + body[edge:]
    return body + blake3(body).digest()
