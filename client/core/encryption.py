"""The owner's service: make and list keys, encrypt, decrypt, make trapdoors."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from cipherlens.base import CipherProfile
from cipherlens.client.core.answers import (
    cipher_image_from,
    code_rows_from,
    original_from,
    profile_of,
    time_of,
)
from cipherlens.client.core.batches import MAX_BATCH_BYTES, MESSAGE_MARGIN_BYTES, batched
from cipherlens.client.core.call import Call, Steps
from cipherlens.client.core.collection import Collection
from cipherlens.client.core.item import Item, Place
from cipherlens.client.core.methods import (
    CREATE_KEY,
    DECRYPT,
    ENCRYPT,
    LIST_KEYS,
    RELEASE_KEYS,
    TRAPDOOR,
)
from cipherlens.client.core.pictures import EncryptedPicture
from cipherlens.client.errors import UnreadableAnswer
from cipherlens.crypto import CipherImage, CipherParameters, Original, sealed_head
from cipherlens.v1 import encryption_service_pb2 as messages
from cipherlens.wire import profile_message
from cipherlens.wire.owner import encrypted_message

_MAX_BATCH_PICTURES = 16  # the service does not tell its limits: large cipher-images must fit too

_Entry = TypeVar("_Entry")


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyInfo:
    """A key as others may know it."""

    name: str
    profile: CipherProfile
    created_at: datetime


def create_key(name: str, parameters: CipherParameters) -> Call[KeyInfo]:
    """Make a key in the service's keyring."""
    profile = profile_message(parameters.profile(b""))
    return CREATE_KEY.call(
        messages.CreateKeyRequest(name=name, profile=profile), lambda answer: _key_info(answer.key)
    )


def list_keys() -> Call[list[KeyInfo]]:
    """Ask what others may know of every key."""
    return LIST_KEYS.call(
        messages.ListKeysRequest(), lambda answer: [_key_info(key) for key in answer.keys]
    )


def encrypt(
    pictures: Iterable[bytes], key: str, places: Iterable[Place] | None, max_bytes: int
) -> Steps[list[EncryptedPicture]]:
    """Have picture files encrypted, and sealed for their places where there are any."""
    plain = (messages.PlainImage(data=picture) for picture in pictures)
    if places is not None:
        plain = (
            messages.PlainImage(data=each.data, seal=_target(place))
            for each, place in zip(plain, places, strict=True)
        )
    encrypted: list[EncryptedPicture] = []
    for images in _batches(plain, lambda image: len(image.data), max_bytes):
        answer = yield from ENCRYPT.answered(messages.EncryptRequest(key=key, images=images))
        _check_answered(len(answer.images), len(images))
        encrypted += map(_encrypted_picture, answer.images)
    return encrypted


def decrypt(items: Iterable[Item], key: str, max_bytes: int) -> Steps[list[Original]]:
    """Have items decrypted: originals where sealed, else PNGs."""
    originals: list[Original] = []
    for batch in _batches(
        map(_decrypt_item, items),
        lambda item: len(item.sealed_original) + len(item.cipher_image.pixels),
        max_bytes,
    ):
        answer = yield from DECRYPT.answered(messages.DecryptRequest(key=key, items=batch))
        _check_answered(len(answer.images), len(batch))
        originals += map(original_from, answer.images)
    return originals


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedKey:
    """What opens the sealed original of one item and of no other.

    Attributes:
        item_key: 44 bytes.
        verify_key: 32 bytes, the public key of the owner who sealed it, as his service says.
    """

    item_key: bytes = field(repr=False)
    verify_key: bytes


def release_keys(items: Iterable[Item], key: str) -> Steps[list[ReleasedKey]]:
    """Have the keys of sealed originals released."""
    released: list[ReleasedKey] = []
    for heads in batched(map(_sealed_head, items), lambda head: head.ByteSize()):
        request = messages.ReleaseKeysRequest(key=key, items=heads)
        answer = yield from RELEASE_KEYS.answered(request)
        if len(answer.keys) != len(heads):
            raise UnreadableAnswer(
                f"the server released {len(answer.keys)} keys where {len(heads)} were asked for"
            )
        released += (
            ReleasedKey(item_key=each, verify_key=answer.verify_key) for each in answer.keys
        )
    return released


def trapdoors(pictures: Iterable[bytes], key: str, max_bytes: int) -> Steps[list[CipherImage]]:
    """Have picture files made into encrypted queries."""
    kind = messages.TRAPDOOR_KIND_CIPHER_IMAGE
    return (
        yield from _trapdoors(
            pictures,
            messages.TrapdoorRequest(key=key, kind=kind),
            lambda answer: [cipher_image_from(image) for image in answer.cipher_images.images],
            max_bytes,
        )
    )


def trapdoor_codes(
    pictures: Iterable[bytes], where: Collection | None, key: str, max_bytes: int
) -> Steps[npt.NDArray[np.uint8]]:
    """Have picture files made into codes, (n, ceil(bits / 8)) uint8, under a collection's mask."""
    mask = "" if where is None or not where.mask_id else str(where.uuid)
    rows = yield from _trapdoors(
        pictures,
        messages.TrapdoorRequest(
            kind=messages.TRAPDOOR_KIND_CODE, key=key, mask_collection_uuid=mask
        ),
        lambda answer: list(code_rows_from(answer.codes)),
        max_bytes,
    )
    return np.stack(rows)


def _trapdoors(
    pictures: Iterable[bytes],
    asked: messages.TrapdoorRequest,
    read: Callable[[messages.TrapdoorResponse], list[_Entry]],
    max_bytes: int,
) -> Steps[list[_Entry]]:
    """Return what is read of the answers to pictures, sent in batches; ValueError without any."""
    made: list[_Entry] = []
    for batch in _batches(pictures, len, max_bytes):
        request = messages.TrapdoorRequest(pictures=batch)
        request.MergeFrom(asked)
        answered = read((yield from TRAPDOOR.answered(request)))
        _check_answered(len(answered), len(batch))
        made += answered
    if not made:
        raise ValueError("pictures must not be empty")
    return made


def _check_answered(count: int, asked: int) -> None:
    """Raise UnreadableAnswer unless there is an answer for each picture."""
    if count != asked:
        raise UnreadableAnswer(f"the service answered {count} pictures where {asked} were sent")


def _batches(
    entries: Iterable[_Entry], size_bytes: Callable[[_Entry], int], max_bytes: int
) -> Iterator[list[_Entry]]:
    """Yield entries in batches that fit into a message of max_bytes."""
    fitting = min(MAX_BATCH_BYTES, max_bytes - MESSAGE_MARGIN_BYTES)
    return batched(entries, size_bytes, max_bytes=fitting, max_items=_MAX_BATCH_PICTURES)


def _encrypted_picture(message: messages.EncryptedImage) -> EncryptedPicture:
    return EncryptedPicture(
        cipher_image=cipher_image_from(message.cipher_image),
        sealed_original=message.sealed_original,
    )


def _target(place: Place) -> messages.SealTarget:
    return messages.SealTarget(
        collection_uuid=str(place.collection_uuid), item_id=place.item_id, revision=place.revision
    )


def _decrypt_item(item: Item) -> messages.DecryptItem:
    """Return the message that asks for one item's plain picture."""
    message = messages.DecryptItem(sealed_original=item.sealed_original)
    if item.cipher_image is not None:
        message.cipher_image.CopyFrom(encrypted_message(item.cipher_image))
    elif item.code is not None:
        message.companion = item.code.tobytes()
    if item.sealed_original:
        message.seal.CopyFrom(_target(item.place))
    return message


def _sealed_head(item: Item) -> messages.SealedHead:
    """Return what the owner needs to release the key of an item. Raises OpenError."""
    return messages.SealedHead(
        seal=_target(item.place),
        head=sealed_head(item.sealed_original),
        companion_digest=item.companion_digest(),
    )


def _key_info(message: messages.Key) -> KeyInfo:
    return KeyInfo(
        name=message.name,
        profile=profile_of(message.profile),
        created_at=time_of(message.create_time),
    )
