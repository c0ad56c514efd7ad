import uuid
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cipherlens.client import Client, Item, Place
from cipherlens.client.key_in_use import KeyInUse
from cipherlens.client.originals import (
    check_vouched,
    decrypt_item,
    open_item,
    restore_item,
)
from cipherlens.client.picture import encrypt_pictures, prepare_picture
from cipherlens.crypto import (
    CipherMismatch,
    ImageCipher,
    KeyEntry,
    ListedItem,
    ListedTags,
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
            restore_item(changed, KeyInUse(key))


def test_without_an_original_the_prepared_picture_is_restored(item: Item, key: KeyEntry) -> None:
    bare = replace(item, sealed_original=b"")
    cipher = ImageCipher(key)
    with pytest.raises(ValueError, match="'a' has no sealed original"):
        open_item(bare, key)
    restored = restore_item(bare, KeyInUse(key))
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
        restore_item(empty, KeyInUse(key))


def manifest_of(item: Item, **changes: object) -> Manifest:
    """Return a manifest that lists one item as it is, but for some changes."""
    tags = ListedTags.of([bytes(16)] if item.sealed_tags else [], item.sealed_tags)
    listed = ListedItem(item.revision, item.listed_digest(), bool(item.sealed_original), tags)
    items = {item.item_id: listed._replace(**changes)}
    return Manifest(collection_uuid=WHERE, counter=1, items=items)


def test_an_older_item_is_found_out(item: Item) -> None:
    check_vouched(item, 5, None)
    with pytest.raises(StaleItem, match="revision 5, at least 6"):
        check_vouched(item, 6, None)
    check_vouched(item, 0, manifest_of(item))
    with pytest.raises(StaleItem):
        check_vouched(item, 0, manifest_of(item, revision=6))
    elsewhere = Manifest(collection_uuid=uuid.UUID(int=1), counter=1, items={})
    with pytest.raises(ManifestError, match="of collection"):
        check_vouched(item, 0, elsewhere)


def test_tags_that_were_left_out_are_found_out(item: Item) -> None:
    tagged = replace(item, sealed_tags=b"sealed")
    manifest = manifest_of(tagged)
    check_vouched(tagged, 0, manifest)
    with pytest.raises(StaleItem, match="'a' has no tags, not those that revision 5 has"):
        check_vouched(item, 0, manifest)


def test_a_picture_without_a_seal_needs_the_owners_word(item: Item, key: KeyEntry) -> None:
    assert item.cipher_image is not None
    bare = replace(item, sealed_original=b"")
    altered = replace(item.cipher_image, pixels=255 - item.cipher_image.pixels)
    with Client("127.0.0.1:1", key=key) as client:
        for forged, manifest in (
            (replace(bare, cipher_image=altered, revision=6), manifest_of(bare)),
            (replace(bare, cipher_image=altered), manifest_of(bare)),
            (bare, manifest_of(item)),  # the seal was taken away
        ):
            with pytest.raises(StaleItem):
                client.restore(forged, manifest=manifest)
        assert client.restore(bare, manifest=manifest_of(bare)).media_type == "image/png"
        assert client.restore(item, manifest=manifest_of(item)).data


def test_a_manifest_binds_vectors_too(item: Item) -> None:
    vector = np.array([0.6, 0.8], np.float32)
    stored = replace(item, cipher_image=None, vector=vector)
    check_vouched(stored, 0, manifest_of(stored))
    with pytest.raises(StaleItem, match="another digest"):
        check_vouched(replace(stored, vector=-vector), 0, manifest_of(stored))
