"""EncryptionService: the keyring's owner encrypts and decrypts through it."""

import io
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, TypeVar

from PIL import Image

from cipherlens.crypto import (
    CipherImage,
    CipherParameters,
    CodeMask,
    ImageCipher,
    KeyEntry,
    Keyring,
    KeyringChanged,
    Original,
    SealedContext,
    companion_digest,
    open_sealed,
    release_key,
    seal,
)
from cipherlens.crypto.seal import COMPANION_DIGEST_BYTES
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.encryption.hash_model import HashModel
from cipherlens.server.encryption.keys import key_message, new_entry
from cipherlens.server.encryption.pictures import read_picture
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
    invalid_field,
)
from cipherlens.v1 import encryption_service_pb2 as pb
from cipherlens.v1.cipher_image_pb2 import CipherImages
from cipherlens.v1.representation_pb2 import Codes
from cipherlens.wire import MalformedMessage, codes_from, codes_message
from cipherlens.wire.owner import encrypted_from, encrypted_message

_Part = TypeVar("_Part")


class EncryptionService:
    """The owner's side of the protocol over a keyring file, and a hash network if there is one."""

    descriptor: ClassVar = pb.DESCRIPTOR.services_by_name["EncryptionService"]

    def __init__(self, path: Path, config: ServerConfig) -> None:
        """Load the keyring of a path, and the hash network. Raises KeyringError, StartupError."""
        self._path = path
        self._passphrase = config.passphrase
        self._limits = config.limits
        self._lock = threading.Lock()  # guards the keyring and its file
        self._keyring = Keyring.load(path, config.passphrase)
        self._hash_model = None
        if config.hash_model is not None:
            self._hash_model = HashModel.opened(config.hash_model, self._keyring, config)

    def close(self) -> None:
        """Finish what waits for the hash network and refuse what comes."""
        if self._hash_model is not None:
            self._hash_model.close()

    def CreateKey(self, request: pb.CreateKeyRequest, call: Call) -> pb.CreateKeyResponse:
        """Make a key; it is in the keyring's file when this answers."""
        name = check_name("name", request.name, self._limits)
        entry = new_entry(name, request.profile, self._limits)
        with self._lock:
            self._keyring = self._saved_with(entry)
        return pb.CreateKeyResponse(key=key_message(entry))

    def ListKeys(self, request: pb.ListKeysRequest, call: Call) -> pb.ListKeysResponse:
        """Return names and profiles."""
        return pb.ListKeysResponse(keys=[key_message(each) for each in self._keyring.entries])

    def Encrypt(self, request: pb.EncryptRequest, call: Call) -> pb.EncryptResponse:
        """Prepare, encrypt and, where asked, seal."""
        check_count("images", len(request.images), self._limits.max_batch_items)
        entry = self._entry(request.key)
        sealed = sum(len(each.data) for each in request.images if each.HasField("seal"))
        self._check_answer("images", len(request.images), sealed, entry.parameters)
        cipher = ImageCipher(entry)
        images = _while_wanted(request.images, call)
        return pb.EncryptResponse(
            images=[
                self._encrypted(f"images[{position}]", each, cipher, entry)
                for position, each in enumerate(images)
            ]
        )

    def Decrypt(self, request: pb.DecryptRequest, call: Call) -> pb.DecryptResponse:
        """Decrypt cipher-images and open sealed originals."""
        check_count("items", len(request.items), self._limits.max_batch_items)
        return pb.DecryptResponse(
            images=[
                self._decrypted(f"items[{position}]", item, request.key)
                for position, item in enumerate(_while_wanted(request.items, call))
            ]
        )

    def ReleaseKeys(self, request: pb.ReleaseKeysRequest, call: Call) -> pb.ReleaseKeysResponse:
        """Release keys of single sealed originals."""
        check_count("items", len(request.items), self._limits.max_batch_items)
        entry = self._entry(request.key)
        return pb.ReleaseKeysResponse(
            keys=[
                self._released(f"items[{position}]", item, entry)
                for position, item in enumerate(_while_wanted(request.items, call))
            ],
            verify_key=entry.verify_key,
        )

    def Trapdoor(self, request: pb.TrapdoorRequest, call: Call) -> pb.TrapdoorResponse:
        """Encrypt query pictures for a cipher collection, or make codes of them."""
        check_count("pictures", len(request.pictures), self._limits.max_batch_items)
        if request.kind == pb.TRAPDOOR_KIND_CODE:
            if self._hash_model is None:
                raise ModelRefused("this server holds no hash network to make codes with")
            if request.key and not request.mask_collection_uuid:
                raise InvalidField("key", "must be empty: a code without a mask depends on no key")
            codes = self._hash_model.codes(request.pictures, call)
            return pb.TrapdoorResponse(codes=self._masked(codes, request))
        if request.mask_collection_uuid:
            raise InvalidField("mask_collection_uuid", "must be empty: it is for codes")
        if request.kind != pb.TRAPDOOR_KIND_CIPHER_IMAGE:
            raise InvalidField("kind", "must be CIPHER_IMAGE or CODE", value=request.kind)
        return pb.TrapdoorResponse(cipher_images=self._encrypted_queries(request, call))

    def _masked(self, codes: Codes, request: pb.TrapdoorRequest) -> Codes:
        """Return codes under the mask of the collection that a request names, if it does."""
        if not request.mask_collection_uuid:
            return codes
        collection = _uuid("mask_collection_uuid", request.mask_collection_uuid)
        mask = CodeMask(self._entry(request.key).mask_key(collection), codes.bits)
        return codes_message(mask.masked(codes_from(codes)))

    def _entry(self, key: str) -> KeyEntry:
        return self._keyring.get(key or None)

    def _saved_with(self, entry: KeyEntry) -> Keyring:
        """Return the keyring as its file now is, with one more entry. Raises AlreadyExists.

        Read anew each time: another program may have added a key, and it must not be lost.
        """

        def add(keyring: Keyring) -> None:
            if any(each.name == entry.name for each in keyring.entries):
                raise AlreadyExists("key", entry.name)
            keyring.add(entry)

        try:
            # Saved before it is used: a key that is lost takes its images with it.
            return Keyring.update(self._path, self._passphrase, add)
        except KeyringChanged as error:
            raise StorageUnavailable(
                "other programs keep changing the keyring; nothing was added"
            ) from error

    def _check_answer(
        self, field: str, count: int, sealed_bytes: int, parameters: CipherParameters
    ) -> None:
        """Raise LimitExceeded if the cipher-images and sealed originals make too long an answer."""
        size = sealed_bytes + count * parameters.image_bytes
        limit = self._limits.max_message_bytes
        if size > limit:
            raise LimitExceeded(field, limit=limit, value=size, unit="bytes of answer")

    def _encrypted_queries(self, request: pb.TrapdoorRequest, call: Call) -> CipherImages:
        entry = self._entry(request.key)
        self._check_answer("pictures", len(request.pictures), 0, entry.parameters)
        cipher = ImageCipher(entry)
        images = []
        for position, data in enumerate(_while_wanted(request.pictures, call)):
            pixels, _ = read_picture(f"pictures[{position}]", data, entry.parameters)
            images.append(encrypted_message(cipher.encrypt_image(pixels)))
        return CipherImages(images=images)

    def _encrypted(
        self, field: str, plain: pb.PlainImage, cipher: ImageCipher, entry: KeyEntry
    ) -> pb.EncryptedImage:
        pixels, media_type = read_picture(f"{field}.data", plain.data, entry.parameters)
        image = cipher.encrypt_image(pixels)
        sealed = b""
        if plain.HasField("seal"):
            context = self._sealed_context(f"{field}.seal", plain.seal, image.digest())
            original = Original(media_type=media_type, data=plain.data)
            sealed = seal(original, entry, context)
            check_size(f"{field}.data", len(sealed), self._limits.max_sealed_bytes)
        return pb.EncryptedImage(cipher_image=encrypted_message(image), sealed_original=sealed)

    def _sealed_context(self, field: str, target: pb.SealTarget, companion: bytes) -> SealedContext:
        return SealedContext(
            collection_uuid=_uuid(f"{field}.collection_uuid", target.collection_uuid),
            item_id=check_item_id(f"{field}.item_id", target.item_id, self._limits),
            revision=check_revision(f"{field}.revision", target.revision),
            companion_digest=companion,
        )

    def _released(self, field: str, item: pb.SealedHead, entry: KeyEntry) -> bytes:
        if len(item.companion_digest) != COMPANION_DIGEST_BYTES:
            size = len(item.companion_digest)
            raise InvalidField(
                f"{field}.companion_digest", f"must be {COMPANION_DIGEST_BYTES} bytes", value=size
            )
        context = self._sealed_context(f"{field}.seal", item.seal, item.companion_digest)
        return release_key(item.head, entry, context)

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
            original = open_sealed(item.sealed_original, seal_key, entry.verify_key, context)
            return pb.DecryptedImage(media_type=original.media_type, data=original.data)
        if image is None:
            raise InvalidField(field, "needs a cipher_image or a sealed_original")
        file = io.BytesIO()
        Image.fromarray(ImageCipher(entry).decrypt_image(image)).save(file, "PNG")
        return pb.DecryptedImage(media_type="image/png", data=file.getvalue())


def _uuid(field: str, text: str) -> uuid.UUID:
    """Return the UUID of its text form. Raises InvalidField."""
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise InvalidField(field, "is not a UUID") from error


def _while_wanted(parts: Iterable[_Part], call: Call) -> Iterator[_Part]:
    """Yield the parts of a request. Raises DeadlineExpired or CallCancelled once nobody waits."""
    for part in parts:
        call.check()
        yield part


def _cipher_image(field: str, item: pb.DecryptItem) -> CipherImage:
    try:
        return encrypted_from(item.cipher_image)
    except MalformedMessage as error:
        raise invalid_field(f"{field}.cipher_image", error) from error
