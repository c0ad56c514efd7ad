"""Opening what comes back from the server."""

from PIL import Image

from cipherlens.client.core.encryption import ReleasedKey
from cipherlens.client.core.item import Item
from cipherlens.client.key_in_use import KeyInUse, needed
from cipherlens.client.picture import png_bytes, sealed_context
from cipherlens.crypto import (
    ImageCipher,
    Key,
    Manifest,
    Original,
    StaleItem,
    WrongKey,
    open_sealed,
)
from cipherlens.crypto import open_released as crypto_open_released


def open_checked(
    item: Item, key: KeyInUse | None, min_revision: int, manifest: Manifest | None
) -> Original:
    """Return the sealed original of an item; see `Client.open_original`."""
    check_vouched(item, min_revision, manifest)
    return open_item(item, needed(key).entry)


def restore_checked(
    item: Item, key: KeyInUse | None, min_revision: int, manifest: Manifest | None
) -> Original:
    """Return the original of an item or a PNG of its cipher-image; see `Client.restore`."""
    check_vouched(item, min_revision, manifest)
    return restore_item(item, needed(key))


def open_item(item: Item, key: Key) -> Original:
    """Return the sealed original of an item, whatever its age.

    Raises:
        WrongKey: the cipher-image beside it says that it is of another key.
        OpenError: it does not open.
    """
    if not item.sealed_original:
        raise ValueError(f"item {item.item_id!r} has no sealed original")
    image = item.cipher_image
    if image is not None and image.key_fingerprint != key.fingerprint:
        raise WrongKey(
            f"item {item.item_id!r} is of key {image.key_fingerprint.hex()}, "
            f"key {key.name!r} is {key.fingerprint.hex()}"
        )
    context = sealed_context(item.place, item.companion_digest())
    seal_key = key.seal_key(item.collection_uuid)
    return open_sealed(item.sealed_original, seal_key, key.verify_key, context)


def open_released(item: Item, released: ReleasedKey) -> Original:
    """Return the sealed original of an item, opened with the key that its owner released.

    Raises:
        OpenError: it was altered, swapped or re-labelled, or the key is of another item.
    """
    context = sealed_context(item.place, item.companion_digest())
    return crypto_open_released(
        item.sealed_original, released.item_key, released.verify_key, context
    )


def decrypt_item(item: Item, cipher: ImageCipher) -> Image.Image:
    """Return the prepared picture in an item's cipher-image; see `Client.decrypt`."""
    if item.cipher_image is None:
        raise ValueError(f"item {item.item_id!r} has no cipher-image")
    return Image.fromarray(cipher.decrypt_image(item.cipher_image))


def restore_item(item: Item, key: KeyInUse) -> Original:
    """Return what `Client.restore` does, without a look at what vouches for it: `check_vouched`."""
    if item.sealed_original or item.cipher_image is None:
        return open_item(item, key.entry)
    return Original(media_type="image/png", data=png_bytes(decrypt_item(item, key.cipher)))


def check_vouched(item: Item, min_revision: int, manifest: Manifest | None) -> None:
    """Return if an item is as new as its reader knows, and as the owner's manifest says it is.

    Raises:
        StaleItem: its revision is below min_revision, or the manifest says otherwise.
        ManifestError: the manifest is of another collection.
    """
    if item.revision < min_revision:
        raise StaleItem(
            f"item {item.item_id!r} has revision {item.revision}, at least {min_revision} was known"
        )
    if manifest is None:
        return
    manifest.check_collection(item.collection_uuid)
    manifest.check(
        item.item_id,
        item.revision,
        item.listed_digest(),
        sealed=bool(item.sealed_original),
        sealed_tags=item.sealed_tags,
    )
