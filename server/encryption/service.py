"""EncryptionService: the keyring's owner encrypts and decrypts through it."""

import io
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from PIL import Image

from cipherlens.client.conversion import (
    cipher_image_from,
    cipher_image_message,
    profile_message,
    profile_of,
)
from cipherlens.client.errors import UnreadableAnswer
from cipherlens.crypto import (
    PREPARATION_VERSION,
    SCHEME_VERSION,
    CipherImage,
    CipherParameters,
    ImageCipher,
    ImageError,
    KeyEntry,
    Keyring,
    KeyringChanged,
    Original,
    Scope,
    SealedContext,
    companion_digest,
    open_image,
    open_sealed,
    prepare,
    seal,
)
from cipherlens.crypto.blocks import CHANNELS
from cipherlens.server.call import Call
from cipherlens.server.config import Limits
from cipherlens.server.errors import (
    AlreadyExists,
    InvalidField,
    LimitExceeded,
    ModelRefused,
    StorageUnavailable,
)
from cipherlens.server.fields import (
    check_count,
    check_item_id,
    check_name,
    check_revision,
    check_size,
)
from cipherlens.v1 import cipher_image_pb2
from cipherlens.v1 import encryption_service_pb2 as pb
from cipherlens.v1.encryption_service_pb2_grpc import EncryptionServiceServicer

_SCOPES = {
    cipher_image_pb2.KEY_SCOPE_COLLECTION: Scope.COLLECTION,
    cipher_image_pb2.KEY_SCOPE_IMAGE: Scope.IMAGE,
}


_ANY_FILE = "application/octet-stream"
_SAVE_TRIES = 5

_Part = TypeVar("_Part")


class EncryptionService(EncryptionServiceServicer):
    """The owner's side of the protocol over a keyring file."""

    def __init__(self, path: Path, passphrase: str | None, limits: Limits) -> None:
        """Load the keyring. Raises KeyringError."""
        self._path = path
        self._passphrase = passphrase
        self._limits = limits
        self._lock = threading.Lock()  # guards the keyring and its file
        self._keyring = Keyring.load(path, passphrase)

    def CreateKey(
        self, request: pb.CreateKeyRequest, context: grpc.ServicerContext
    ) -> pb.CreateKeyResponse:
        """Make a key; it is in the keyring's file when this answers."""
        name = check_name("name", request.name, self._limits)
        entry = _new_entry(name, _parameters(request.profile, self._limits))
        with self._lock:
            self._keyring = self._saved_with(entry)
        return pb.CreateKeyResponse(key=_key_message(entry))

    def ListKeys(
        self, request: pb.ListKeysRequest, context: grpc.ServicerContext
    ) -> pb.ListKeysResponse:
        """Return names and profiles."""
        return pb.ListKeysResponse(keys=[_key_message(each) for each in self._keyring.entries])

    def Encrypt(
        self, request: pb.EncryptRequest, context: grpc.ServicerContext
    ) -> pb.EncryptResponse:
        """Prepare, encrypt and, where asked, seal."""
        check_count("images", len(request.images), self._limits.max_batch_items)
        entry = self._entry(request.key)
        self._check_answer(request.images, entry.parameters)
        cipher = ImageCipher(entry)
        images = _while_wanted(request.images, context)
        return pb.EncryptResponse(
            images=[
                self._encrypted(f"images[{position}]", each, cipher, entry)
                for position, each in enumerate(images)
            ]
        )

    def Decrypt(
        self, request: pb.DecryptRequest, context: grpc.ServicerContext
    ) -> pb.DecryptResponse:
        """Decrypt cipher-images and open sealed originals."""
        check_count("items", len(request.items), self._limits.max_batch_items)
        return pb.DecryptResponse(
            images=[
                self._decrypted(f"items[{position}]", item, request.key)
                for position, item in enumerate(_while_wanted(request.items, context))
            ]
        )

    def Trapdoor(
        self, request: pb.TrapdoorRequest, context: grpc.ServicerContext
    ) -> pb.TrapdoorResponse:
        """Encrypt a query picture for a cipher collection."""
        if request.kind == pb.TRAPDOOR_KIND_CODE:
            raise ModelRefused("this server holds no hash network to make codes with")
        if request.kind != pb.TRAPDOOR_KIND_CIPHER_IMAGE:
            raise InvalidField("kind", "must be CIPHER_IMAGE or CODE", value=request.kind)
        entry = self._entry(request.key)
        image, _ = _encrypted_picture("data", request.data, ImageCipher(entry), entry)
        return pb.TrapdoorResponse(cipher_image=cipher_image_message(image))

    def _entry(self, key: str) -> KeyEntry:
        return self._keyring.get(key or None)

    def _saved_with(self, entry: KeyEntry) -> Keyring:
        """Return the keyring as its file now is, with one more entry. Raises AlreadyExists.

        Read anew each time: another program may have added a key, and it must not be lost.
        """
        for _ in range(_SAVE_TRIES):
            keyring = Keyring.load(self._path, self._passphrase)
            if any(each.name == entry.name for each in keyring.entries):
                raise AlreadyExists("key", entry.name)
            keyring.add(entry)
            # Saved before it is used: a key that is lost takes its images with it.
            with suppress(KeyringChanged):
                keyring.save(self._path, self._passphrase, unprotected=self._passphrase is None)
                return keyring
        raise StorageUnavailable("other programs keep changing the keyring; nothing was added")

    def _check_answer(self, images: Sequence[pb.PlainImage], parameters: CipherParameters) -> None:
        """Raise LimitExceeded if the cipher-images and sealed originals make too long an answer."""
        sealed = sum(len(each.data) for each in images if each.HasField("seal"))
        size = sealed + len(images) * parameters.height * parameters.width * CHANNELS
        if size > self._limits.max_message_bytes:
            raise LimitExceeded(
                "images", limit=self._limits.max_message_bytes, value=size, unit="bytes of answer"
            )

    def _encrypted(
        self, field: str, plain: pb.PlainImage, cipher: ImageCipher, entry: KeyEntry
    ) -> pb.EncryptedImage:
        image, media_type = _encrypted_picture(f"{field}.data", plain.data, cipher, entry)
        sealed = b""
        if plain.HasField("seal"):
            context = self._sealed_context(f"{field}.seal", plain.seal, image.digest())
            original = Original(media_type=media_type, data=plain.data)
            sealed = seal(original, entry.seal_key(context.collection_uuid), context)
            check_size(f"{field}.data", len(sealed), self._limits.max_sealed_bytes)
        return pb.EncryptedImage(cipher_image=cipher_image_message(image), sealed_original=sealed)

    def _sealed_context(self, field: str, target: pb.SealTarget, companion: bytes) -> SealedContext:
        try:
            collection_uuid = uuid.UUID(target.collection_uuid)
        except ValueError as error:
            raise InvalidField(f"{field}.collection_uuid", "is not a UUID") from error
        return SealedContext(
            collection_uuid=collection_uuid,
            item_id=check_item_id(f"{field}.item_id", target.item_id, self._limits),
            revision=check_revision(f"{field}.revision", target.revision),
            companion_digest=companion,
        )

    def _decrypted(self, field: str, item: pb.DecryptItem, key: str) -> pb.DecryptedImage:
        image = _cipher_image(field, item) if item.HasField("cipher_image") else None
        entry = (
            self._keyring.by_fingerprint(image.key_fingerprint)
            if image is not None and not key
            else self._entry(key)
        )
        if item.sealed_original:
            companion = image.digest() if image else companion_digest(item.companion)
            context = self._sealed_context(f"{field}.seal", item.seal, companion)
            seal_key = entry.seal_key(context.collection_uuid)
            original = open_sealed(item.sealed_original, seal_key, context)
            return pb.DecryptedImage(media_type=original.media_type, data=original.data)
        if image is None:
            raise InvalidField(field, "needs a cipher_image or a sealed_original")
        file = io.BytesIO()
        Image.fromarray(ImageCipher(entry).decrypt_image(image)).save(file, "PNG")
        return pb.DecryptedImage(media_type="image/png", data=file.getvalue())


def _new_entry(name: str, parameters: CipherParameters) -> KeyEntry:
    try:
        return KeyEntry.generate(name, parameters)
    except ValueError as error:  # what a collection may be called and a key may not
        raise InvalidField("name", str(error)) from error


def _while_wanted(parts: Iterable[_Part], context: grpc.ServicerContext) -> Iterator[_Part]:
    """Yield the parts of a request. Raises DeadlineExpired or CallCancelled once nobody waits."""
    call = Call.within(context.time_remaining(), context.is_active, context.add_callback)
    for part in parts:
        call.check()
        yield part


def _encrypted_picture(
    field: str, data: bytes, cipher: ImageCipher, entry: KeyEntry
) -> tuple[CipherImage, str]:
    """Return a picture file encrypted, and its media type."""
    try:
        picture = open_image(data)
        pixels = prepare(picture, entry.parameters)
    except ImageError as error:
        raise InvalidField(field, str(error)) from error
    return cipher.encrypt_image(pixels), Image.MIME.get(picture.format or "", _ANY_FILE)


def _cipher_image(field: str, item: pb.DecryptItem) -> CipherImage:
    try:
        return cipher_image_from(item.cipher_image)
    except UnreadableAnswer as error:
        raise InvalidField(f"{field}.cipher_image", str(error)) from error


def _parameters(profile: cipher_image_pb2.CipherProfile, limits: Limits) -> CipherParameters:
    if profile.key_fingerprint:
        raise InvalidField("profile.key_fingerprint", "must be empty: a new key has its own")
    if profile.scope not in _SCOPES:
        raise InvalidField("profile.scope", "must be COLLECTION or IMAGE", value=profile.scope)
    pixels = profile.height * profile.width
    if pixels > limits.max_image_pixels:
        raise LimitExceeded(
            "profile.height * width", limit=limits.max_image_pixels, value=pixels, unit="pixels"
        )
    try:
        return CipherParameters(
            scheme_version=profile.scheme_version or SCHEME_VERSION,
            preparation_version=profile.preparation_version or PREPARATION_VERSION,
            height=profile.height,
            width=profile.width,
            block_size=profile.block_size,
            substituted_blocks=profile.substituted_blocks,
            scope=_SCOPES[profile.scope],
        )
    except ValueError as error:
        raise InvalidField("profile", str(error)) from error


def _key_message(entry: KeyEntry) -> pb.Key:
    made = Timestamp()
    made.FromDatetime(entry.created_at)
    return pb.Key(name=entry.name, profile=profile_message(profile_of(entry)), create_time=made)
