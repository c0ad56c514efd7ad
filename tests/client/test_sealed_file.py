import uuid
from dataclasses import replace

import numpy as np
import pytest
from blake3 import blake3

from cipherlens.client import Item
from cipherlens.client.sealed_file import read_sealed_file, sealed_file
from cipherlens.crypto import FormatError, ImageCipher, KeyEntry, prepare


@pytest.fixture
def item() -> Item:
    return Item(
        collection_uuid=uuid.UUID(int=3),
        item_id="ü/a.png",
        revision=2**63,
        sequence=0,
        owner_tag=b"tag",
        code=np.array([1, 2, 3], np.uint8),
        sealed_original=b"sealed",
    )


def test_an_item_comes_back_with_all_that_its_seal_binds(item: Item) -> None:
    read = read_sealed_file(sealed_file(item))
    assert (read.place, read.owner_tag) == (item.place, item.owner_tag)
    assert read.companion_digest() == item.companion_digest()
    assert read.sealed_original == b"sealed"


def test_a_cipher_image_comes_back(item: Item, key: KeyEntry, noise) -> None:
    image = ImageCipher(key).encrypt_image(prepare(noise(1), key.parameters))
    pictured = replace(item, code=None, cipher_image=image)
    assert read_sealed_file(sealed_file(pictured)).cipher_image == image


def test_a_vector_is_not_kept_for_no_seal_binds_it(item: Item) -> None:
    bare = read_sealed_file(sealed_file(replace(item, code=None)))
    assert (bare.code, bare.vector, bare.cipher_image) == (None, None, None)


def test_what_was_damaged_is_no_such_file(item: Item) -> None:
    data = sealed_file(item)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1
        with pytest.raises(FormatError):
            read_sealed_file(bytes(damaged))
    for length in range(len(data)):
        with pytest.raises(FormatError):
            read_sealed_file(data[:length])


def test_what_no_kind_is_said_of_is_not_dropped_in_silence(item: Item) -> None:
    body = bytearray(sealed_file(item)[:-32])
    body[5] = 0  # nothing stands beside it, and yet there are bytes of it
    with pytest.raises(FormatError, match="malformed"):
        read_sealed_file(bytes(body) + blake3(body).digest())
