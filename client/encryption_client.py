"""The client of the owner's service, which holds the keyring and encrypts for others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cipherlens.base import CipherProfile
from cipherlens.client.batches import batched
from cipherlens.client.channel import DEFAULT_TARGET, MAX_MESSAGE_BYTES, Deadlines, invoke
from cipherlens.client.connection import Connection
from cipherlens.client.conversion import cipher_image_from, profile_of
from cipherlens.client.errors import UnreadableAnswer
from cipherlens.client.indexing import MAX_BATCH_BYTES
from cipherlens.client.item import Item
from cipherlens.client.picture import EncryptedPicture, Place
from cipherlens.crypto import CipherImage, CipherParameters, Original
from cipherlens.v1 import encryption_service_pb2 as messages
from cipherlens.v1.encryption_service_pb2_grpc import EncryptionServiceStub
from cipherlens.wire import MalformedMessage, codes_from, datetime_from, profile_message
from cipherlens.wire.owner import encrypted_message

_MAX_BATCH_PICTURES = 16  # the service does not tell its limits: large cipher-images must fit too


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyInfo:
    """A key as others may know it."""

    name: str
    profile: CipherProfile
    created_at: datetime


class EncryptionClient(Connection):
    """Encrypts and decrypts through the owner's service: keys stay there, plain pictures travel.

    Whoever may call it can recover a collection-scope key from one picture of his choice: the
    service is for the owner's own machines. `Client` with a key does the same in process.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        deadlines: Deadlines | None = None,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        """Make the channel; it connects with the first call. See `Connection`."""
        super().__init__(target, deadlines=deadlines, max_message_bytes=max_message_bytes)
        self._stub = EncryptionServiceStub(self._channel)

    def create_key(
        self, name: str, parameters: CipherParameters, *, timeout_s: float | None = None
    ) -> KeyInfo:
        """Make a key in the service's keyring and return what others may know of it.

        Raises:
            AlreadyExists: the name is taken.
        """
        profile = profile_message(parameters.profile(b""))
        request = messages.CreateKeyRequest(name=name, profile=profile)
        answer = invoke(self._stub.CreateKey, request, timeout_s or self.deadlines.quick_s)
        return _key_info(answer.key)

    def list_keys(self, *, timeout_s: float | None = None) -> list[KeyInfo]:
        """Return what others may know of every key."""
        request = messages.ListKeysRequest()
        answer = invoke(self._stub.ListKeys, request, timeout_s or self.deadlines.quick_s)
        return [_key_info(key) for key in answer.keys]

    def encrypt(
        self,
        pictures: Sequence[bytes | Path],
        *,
        key: str = "",
        places: Sequence[Place] | None = None,
        timeout_s: float | None = None,
    ) -> list[EncryptedPicture]:
        """Return pictures encrypted, ready for `Client.index_encrypted`.

        Args:
            pictures: bytes or paths of picture files.
            key: name or hexadecimal fingerprint; may be empty if the service has one key.
            places: where the sealed originals will stand, one for each; None seals nothing.
            timeout_s: how long each batch may take.
        """
        seconds = timeout_s or self.deadlines.write_s
        encrypted: list[EncryptedPicture] = []
        for images in batched(
            _plain_images(pictures, places),
            lambda image: len(image.data),
            max_bytes=MAX_BATCH_BYTES,
            max_items=_MAX_BATCH_PICTURES,
        ):
            request = messages.EncryptRequest(key=key, images=images)
            answer = invoke(self._stub.Encrypt, request, seconds)
            encrypted += map(_encrypted_picture, answer.images)
        return encrypted

    def decrypt(
        self, items: Sequence[Item], *, key: str = "", timeout_s: float | None = None
    ) -> list[Original]:
        """Return the plain pictures of items: originals where sealed, else PNGs.

        Raises:
            FailedPrecondition: an item does not open; without detail.
        """
        seconds = timeout_s or self.deadlines.write_s
        originals: list[Original] = []
        for batch in batched(
            map(_decrypt_item, items),
            lambda item: len(item.sealed_original) + len(item.cipher_image.pixels),
            max_bytes=MAX_BATCH_BYTES,
            max_items=_MAX_BATCH_PICTURES,
        ):
            request = messages.DecryptRequest(key=key, items=batch)
            answer = invoke(self._stub.Decrypt, request, seconds)
            originals += (
                Original(media_type=each.media_type, data=each.data) for each in answer.images
            )
        return originals

    def trapdoor(
        self, picture: bytes | Path, *, key: str = "", timeout_s: float | None = None
    ) -> CipherImage:
        """Return an encrypted query, which `Client.search_image` takes in a picture's place."""
        return self.trapdoors([picture], key=key, timeout_s=timeout_s)[0]

    def trapdoors(
        self, pictures: Sequence[bytes | Path], *, key: str = "", timeout_s: float | None = None
    ) -> list[CipherImage]:
        """Return encrypted queries, which `Client.search_images` takes in place of pictures.

        `timeout_s` is for each batch.
        """
        answers = self._trapdoors(pictures, messages.TRAPDOOR_KIND_CIPHER_IMAGE, key, timeout_s)
        return [cipher_image_from(image) for each in answers for image in each.cipher_images.images]

    def trapdoor_codes(
        self, pictures: Sequence[bytes | Path], *, timeout_s: float | None = None
    ) -> npt.NDArray[np.uint8]:
        """Return the codes of queries under the owner's hash network, for `Client.search_codes`.

        This is TrapGen of the DLHEIR paper for a user who does not hold the network.

        Args:
            pictures: bytes or paths of picture files, at least one.
            timeout_s: how long each batch may take.

        Returns:
            (n, ceil(bits / 8)) uint8.

        Raises:
            FailedPrecondition: the service has no hash network.
        """
        answers = self._trapdoors(pictures, messages.TRAPDOOR_KIND_CODE, "", timeout_s)
        return np.concatenate([_codes(each) for each in answers])

    def _trapdoors(
        self,
        pictures: Sequence[bytes | Path],
        kind: messages.TrapdoorKind.ValueType,
        key: str,
        timeout_s: float | None,
    ) -> list[messages.TrapdoorResponse]:
        """Return the answers to pictures sent in batches.

        Raises:
            ValueError: there are no pictures.
        """
        if not pictures:
            raise ValueError("pictures must not be empty")
        batches = batched(
            map(_file_bytes, pictures),
            len,
            max_bytes=MAX_BATCH_BYTES,
            max_items=_MAX_BATCH_PICTURES,
        )
        seconds = timeout_s or self.deadlines.search_s
        return [
            invoke(
                self._stub.Trapdoor,
                messages.TrapdoorRequest(key=key, pictures=batch, kind=kind),
                seconds,
            )
            for batch in batches
        ]


def _file_bytes(picture: bytes | Path) -> bytes:
    """Return the bytes of a picture file."""
    return picture if isinstance(picture, bytes) else picture.read_bytes()


def _plain_images(
    pictures: Sequence[bytes | Path], places: Sequence[Place] | None
) -> Iterator[messages.PlainImage]:
    """Yield the messages that ask for pictures to be encrypted, and sealed for their places.

    Raises:
        ValueError: there are not as many places as pictures.
    """
    if places is None:
        yield from (messages.PlainImage(data=_file_bytes(picture)) for picture in pictures)
        return
    for picture, place in zip(pictures, places, strict=True):
        yield messages.PlainImage(data=_file_bytes(picture), seal=_target(place))


def _encrypted_picture(message: messages.EncryptedImage) -> EncryptedPicture:
    """Return the encrypted picture in a message."""
    return EncryptedPicture(
        cipher_image=cipher_image_from(message.cipher_image),
        sealed_original=message.sealed_original,
    )


def _target(place: Place) -> messages.SealTarget:
    """Return the message of a place."""
    return messages.SealTarget(
        collection_uuid=str(place.collection_uuid),
        item_id=place.item_id,
        revision=place.revision,
    )


def _decrypt_item(item: Item) -> messages.DecryptItem:
    """Return the message that asks for one item's plain picture."""
    message = messages.DecryptItem(sealed_original=item.sealed_original)
    if item.cipher_image is not None:
        message.cipher_image.CopyFrom(encrypted_message(item.cipher_image))
    elif item.code is not None:
        message.companion = item.code.tobytes()
    if item.sealed_original:
        place = Place(
            collection_uuid=item.collection_uuid, item_id=item.item_id, revision=item.revision
        )
        message.seal.CopyFrom(_target(place))
    return message


def _codes(message: messages.TrapdoorResponse) -> npt.NDArray[np.uint8]:
    """Return the codes in an answer."""
    try:
        return codes_from(message.codes)
    except MalformedMessage as error:
        raise UnreadableAnswer(f"the server sent broken codes: {error}") from error


def _key_info(message: messages.Key) -> KeyInfo:
    """Return the key in a message."""
    return KeyInfo(
        name=message.name,
        profile=profile_of(message.profile),
        created_at=datetime_from(message.create_time),
    )
