import uuid
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import Client, Item, Place
from cipherlens.client.originals import check_age, decrypt_item, open_item, restore_item
from cipherlens.client.picture import encrypt_pictures, prepare_picture
from cipherlens.crypto import (
    CipherMismatch,
    ImageCipher,
    KeyEntry,
    Manifest,
    ManifestError,
    OpenError,
    StaleItem,
    open_image,
)

WHERE = uuid.UUID(int=11)


@pytest.fixture
def item(key: KeyEntry, noise: Callable[..., Image.Image]) -> Item:
    place = Place(collection_uuid=WHERE, item_id="a", revision=5)
    prepared = prepare_picture(noise(3), key.parameters)
    (made,) = encrypt_pictures([prepared], key, ImageCipher(key), [place])
    return Item(
        collection_uuid=WHERE,
        item_id="a",
        revision=5,
        sequence=1,
        owner_tag=b"",
        cipher_image=made.cipher_image,
        sealed_original=made.sealed_original,
    )


def test_the_original_comes_back(item: Item, key: KeyEntry, noise) -> None:
    assert np.array_equal(open_image(open_item(item, key).data), noise(3))


def test_what_was_swapped_or_relabelled_does_not_open(item: Item, key: KeyEntry, noise) -> None:
    cipher = ImageCipher(key)
    other = cipher.encrypt_image(prepare_picture(noise(4), key.parameters).pixels)
    flipped = bytearray(item.sealed_original)
    flipped[-1] ^= 1
    for changed in (
        replace(item, item_id="b"),
        replace(item, revision=6),
        replace(item, collection_uuid=uuid.UUID(int=12)),
        replace(item, cipher_image=other),
        replace(item, sealed_original=bytes(flipped)),
    ):
        with pytest.raises(OpenError):
            open_item(changed, key)
        with pytest.raises(OpenError):
            restore_item(changed, key, cipher)


def test_without_an_original_the_prepared_picture_is_restored(item: Item, key: KeyEntry) -> None:
    bare = replace(item, sealed_original=b"")
    cipher = ImageCipher(key)
    with pytest.raises(ValueError, match="'a' has no sealed original"):
        open_item(bare, key)
    restored = restore_item(bare, key, cipher)
    assert restored.media_type == "image/png"
    assert np.array_equal(open_image(restored.data), decrypt_item(bare, cipher))


def test_another_key_is_named(item: Item, image_key: KeyEntry) -> None:
    with pytest.raises(CipherMismatch, match=image_key.fingerprint.hex()):
        decrypt_item(item, ImageCipher(image_key))


def test_an_item_without_anything(item: Item, key: KeyEntry) -> None:
    empty = replace(item, sealed_original=b"", cipher_image=None)
    with pytest.raises(ValueError, match="no cipher-image"):
        decrypt_item(empty, ImageCipher(key))
    with pytest.raises(ValueError, match="no sealed original"):
        restore_item(empty, key, ImageCipher(key))


def test_an_older_item_is_found_out(item: Item) -> None:
    check_age(item, 5, None)
    with pytest.raises(StaleItem, match="revision 5, at least 6"):
        check_age(item, 6, None)
    newer = Manifest(collection_uuid=WHERE, counter=1, items={"a": (6, item.companion_digest())})
    with pytest.raises(StaleItem):
        check_age(item, 0, newer)
    same = Manifest(collection_uuid=WHERE, counter=1, items={"a": (5, item.companion_digest())})
    check_age(item, 0, same)
    elsewhere = Manifest(collection_uuid=uuid.UUID(int=1), counter=1, items={})
    with pytest.raises(ManifestError, match="of collection"):
        check_age(item, 0, elsewhere)


def test_a_picture_without_a_seal_needs_the_revision_that_the_owner_signed(
    item: Item, key: KeyEntry
) -> None:
    assert item.cipher_image is not None
    signed = (item.revision, item.cipher_image.digest())
    manifest = Manifest(collection_uuid=WHERE, counter=1, items={"a": signed})
    altered = replace(item.cipher_image, pixels=255 - item.cipher_image.pixels)
    forged = replace(item, cipher_image=altered, sealed_original=b"", revision=6)
    with Client("127.0.0.1:1", key=key) as client:
        with pytest.raises(ManifestError, match="no seal to vouch for it"):
            client.restore(forged, manifest=manifest)
        bare = replace(item, sealed_original=b"")
        assert client.restore(bare, manifest=manifest).media_type == "image/png"
        assert client.restore(item, manifest=manifest).data
