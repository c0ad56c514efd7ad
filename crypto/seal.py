"""Sealed originals: encrypted and signed, what stands beside a cipher-image or a code.

A sealed original is, little-endian:

    offset  size  field
         0     4  magic "CLSO"
         4     1  format version, 2
         5     1  length t of the media type
         6     8  length of the plain data
        14    32  salt
        46     t  media type, ASCII
    46 + t     -  AES-256-GCM ciphertext and 16-byte tag
         -    64  the owner's Ed25519 signature

The key is the collection's seal key; header and place of the item are bound. How salt, key, nonce
and signature go together is that of every seal: see `salted`. Format 1 had no signature: whoever
could open such a seal could make one, so none of them opens.
"""

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from blake3 import blake3
from cryptography.exceptions import InvalidSignature, InvalidTag

from cipherlens.crypto.errors import OpenError
from cipherlens.crypto.key import Key
from cipherlens.crypto.key_entry import KeyEntry
from cipherlens.crypto.salted import (
    OVERHEAD_SIZE,
    check_seal_key,
    decrypt_salted,
    encrypt_salted,
    item_key,
    new_salt,
    signed_digest,
)
from cipherlens.crypto.signing import SIGNATURE_SIZE, Signed, is_signed

MAX_MEDIA_TYPE_LENGTH = 255
"""Longest media type in characters: RFC 6838 allows 127 on each side of the slash."""

COMPANION_DIGEST_BYTES = 32
"""Length of the digest of what stands beside an original."""

MAX_REVISION = 2**64 - 1
_MAX_ITEM_ID_SIZE = 4096
_DIGEST_SIZE = COMPANION_DIGEST_BYTES  # both are BLAKE3
_MAGIC = b"CLSO"
_FORMAT_VERSION = 2
_HEADER = struct.Struct("<4sBBQ32s")
_COMPANION_CONTEXT = "cipherlens 2026-11-21 v1 companion digest"


_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def _one_error(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Return a function that tells whatever is wrong with a seal by the one error, OpenError."""

    @wraps(function)
    def told(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
        try:
            return function(*arguments, **named)
        except (InvalidTag, InvalidSignature, ValueError, struct.error):
            pass
        raise OpenError  # outside of the handler, so that it carries no cause

    return told


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """What is sealed: a file as the owner had it.

    Attributes:
        media_type: 1 to 255 printable ASCII characters, such as "image/png".
        data: the bytes of the file. Sealing hides them but not their number.
    """

    media_type: str
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Raise ValueError unless the media type can stand in the header."""
        text = self.media_type
        fits = 1 <= len(text) <= MAX_MEDIA_TYPE_LENGTH and text.isascii() and text.isprintable()
        if not fits:
            raise ValueError(
                f"media_type must be 1 to {MAX_MEDIA_TYPE_LENGTH} printable ASCII characters, "
                f"got {text!r}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedContext:
    """The place of a sealed original; it opens nowhere else.

    Attributes:
        collection_uuid: the collection.
        item_id: the item in it.
        revision: the owner's revision of the item, uint64.
        companion_digest: 32 bytes; `CipherImage.digest` of the cipher-image beside it, or
            `companion_digest` of the code or vector.
    """

    collection_uuid: uuid.UUID
    item_id: str
    revision: int
    companion_digest: bytes

    def __post_init__(self) -> None:
        """Raise ValueError or TypeError for a field out of its range."""
        if not isinstance(self.collection_uuid, uuid.UUID):
            raise TypeError(f"collection_uuid must be a UUID, got {self.collection_uuid!r}")
        size = len(self.item_id.encode())
        if not 1 <= size <= _MAX_ITEM_ID_SIZE:
            raise ValueError(f"item_id must be 1 to {_MAX_ITEM_ID_SIZE} bytes, got {size}")
        if not 0 <= self.revision <= MAX_REVISION:
            raise ValueError(f"revision must be 0 to {MAX_REVISION}, got {self.revision}")
        if len(self.companion_digest) != _DIGEST_SIZE:
            raise ValueError(
                f"companion_digest must be {_DIGEST_SIZE} bytes, got {len(self.companion_digest)}"
            )


def companion_digest(data: bytes) -> bytes:
    """Return the 32-byte digest of a packed code or vector that stands beside an original.

    A cipher-image has its own: `CipherImage.digest`.
    """
    return blake3(data, derive_key_context=_COMPANION_CONTEXT).digest()


def seal(original: Original, key: Key, context: SealedContext) -> bytes:
    """Return the sealed original, bound to its context and signed by the key's owner.

    Args:
        original: the file and its media type.
        key: the owner's.
        context: where the sealed original will stand.

    Raises:
        NotGranted: the key is a granted one, which signs nothing.
    """
    media_type = original.media_type.encode("ascii")
    salt = new_salt()
    header = _HEADER.pack(_MAGIC, _FORMAT_VERSION, len(media_type), len(original.data), salt)
    header += media_type
    seal_key = key.seal_key(context.collection_uuid)
    sign = partial(key.sign, Signed.ORIGINAL)
    return header + encrypt_salted(seal_key, salt, original.data, _bound(header, context), sign)


def open_sealed(
    sealed: bytes, seal_key: bytes, verify_key: bytes, context: SealedContext
) -> Original:
    """Return the original of sealed bytes.

    Args:
        sealed: what `seal` returned.
        seal_key: 32 bytes, `KeyEntry.seal_key` of the collection.
        verify_key: 32 bytes, `KeyEntry.verify_key` of the owner.
        context: where the sealed original stood.

    Raises:
        OpenError: the bytes, a key or the context is not the one it was sealed with; the same
            error for all of them.
        ValueError: the seal key is not 32 bytes.
    """
    check_seal_key(seal_key)
    return open_released(sealed, _own_key(sealed, seal_key), verify_key, context)


@_one_error
def sealed_head(sealed: bytes) -> bytes:
    """Return what the owner needs of a sealed original to release its key: all but the ciphertext.

    That is the header, the 32-byte BLAKE3 of ciphertext and tag, and the signature.

    Raises:
        OpenError: it is no sealed original of this version.
    """
    header, rest = _parts(sealed)
    body, signature = rest[:-SIGNATURE_SIZE], rest[-SIGNATURE_SIZE:]
    return header + blake3(body).digest() + signature


@_one_error
def release_key(head: bytes, key: KeyEntry, context: SealedContext) -> bytes:
    """Return the 44 bytes that open one sealed original and no other.

    They are released only for what the owner sealed himself, for this very place: who asks cannot
    name another item than the one that he gets the key of.

    Args:
        head: what `sealed_head` returned.
        key: the owner's.
        context: where the sealed original stands.

    Raises:
        OpenError: the owner sealed no such original for this place.
    """
    size = _HEADER.size + _unpacked(head)[2]
    header, rest = head[:size], head[size:]
    body_hash, signature = rest[:_DIGEST_SIZE], rest[_DIGEST_SIZE:]
    digest = signed_digest(_bound(header, context), body_hash)
    if not is_signed(key.verify_key, Signed.ORIGINAL, digest, signature):
        raise InvalidSignature
    return _own_key(head, key.seal_key(context.collection_uuid))


@_one_error
def open_released(
    sealed: bytes, own_key: bytes, verify_key: bytes, context: SealedContext
) -> Original:
    """Return the original of sealed bytes, opened with what `release_key` returned for it.

    The other arguments and the errors are those of `open_sealed`.
    """
    header, body = _parts(sealed)
    check = partial(is_signed, verify_key, Signed.ORIGINAL)
    data = decrypt_salted(own_key, body, _bound(header, context), check)
    return Original(media_type=header[_HEADER.size :].decode("ascii"), data=data)


def _parts(sealed: bytes) -> tuple[bytes, bytes]:
    """Return the header, and ciphertext, tag and signature; ValueError, struct.error."""
    _, _, type_size, plain_size, _ = _unpacked(sealed)
    size = _HEADER.size + type_size
    if len(sealed) != size + plain_size + OVERHEAD_SIZE:
        raise ValueError("the length is wrong")
    return sealed[:size], sealed[size:]


@_one_error
def _own_key(sealed: bytes, seal_key: bytes) -> bytes:
    """Return the key of the one seal whose header this begins with."""
    return item_key(seal_key, _unpacked(sealed)[4])


def _unpacked(sealed: bytes) -> tuple[bytes, int, int, int, bytes]:
    """Return the fields of a header; ValueError, struct.error if it is none of this version."""
    fields: tuple[bytes, int, int, int, bytes] = _HEADER.unpack_from(sealed)
    if fields[:2] != (_MAGIC, _FORMAT_VERSION):
        raise ValueError("not a sealed original of this version")
    return fields


def _bound(header: bytes, context: SealedContext) -> tuple[bytes, ...]:
    """Return what a seal binds; the header brings format version, media type and plain length."""
    return (
        header,
        context.collection_uuid.bytes,
        context.item_id.encode(),
        context.revision.to_bytes(8, "little"),
        context.companion_digest,
    )
