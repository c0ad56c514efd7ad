"""Files of sealed originals, each with all that it opens with but the key.

A seal binds the place of its item and what stands beside it, so a file has those too and opens
wherever it lies. It is, little-endian:

    offset  size  field
         0     4  magic "CLSF"
         4     1  format version, 1
         5     1  what stands beside it: 0 nothing or a vector, 1 a cipher-image, 2 a code
         6    16  collection UUID, big-endian as in its text
        22     8  revision
        30     2  length of the item id
        32     2  length of the owner tag
        34     4  length of what stands beside it
        38     -  item id in UTF-8, owner tag, what stands beside it, sealed original
         -    32  BLAKE3 of everything before, which finds mishaps
"""

import struct
import uuid

import numpy as np
from blake3 import blake3

from cipherlens.client.core.item import Item
from cipherlens.crypto import CipherImage, FormatError

_MAGIC = b"CLSF"
_FORMAT_VERSION = 1
_HEADER = struct.Struct("<4sBB16sQHHI")
_CHECKSUM_SIZE = 32
_NOTHING, _CIPHER_IMAGE, _CODE = range(3)


def sealed_file(item: Item) -> bytes:
    """Return the file of an item that has a sealed original."""
    kind, companion = _companion(item)
    item_id = item.item_id.encode()
    header = _HEADER.pack(
        _MAGIC,
        _FORMAT_VERSION,
        kind,
        item.collection_uuid.bytes,
        item.revision,
        len(item_id),
        len(item.owner_tag),
        len(companion),
    )
    body = header + item_id + item.owner_tag + companion + item.sealed_original
    return body + blake3(body).digest()


def read_sealed_file(data: bytes) -> Item:
    """Return the item of a file; nothing vouches for it before its original is opened.

    Raises:
        FormatError: it is no such file, of another version, or damaged.
    """
    body, checksum = data[:-_CHECKSUM_SIZE], data[-_CHECKSUM_SIZE:]
    if body[:4] != _MAGIC:
        raise FormatError("it is no file of a sealed original")
    if body[4:5] != bytes([_FORMAT_VERSION]):
        raise FormatError("the file of a sealed original is of another version")
    if blake3(body).digest() != checksum:
        raise FormatError("the checksum of the sealed original's file is wrong")
    try:
        return _item(body)
    except (ValueError, struct.error) as error:
        raise FormatError(f"the file of a sealed original is malformed: {error}") from error


def _item(body: bytes) -> Item:
    """Return the item of a file without its checksum; raises ValueError or struct.error."""
    _, _, kind, collection, revision, *sizes = _HEADER.unpack_from(body)
    parts, start = [], _HEADER.size
    for size in sizes:
        parts.append(body[start : start + size])
        start += size
    if start > len(body) or kind not in {_NOTHING, _CIPHER_IMAGE, _CODE}:
        raise ValueError("lengths or kind are wrong")
    item_id, owner_tag, companion = parts
    if companion and kind == _NOTHING:
        raise ValueError("what stands beside it is of no kind")
    return Item(
        collection_uuid=uuid.UUID(bytes=collection),
        item_id=item_id.decode(),
        revision=revision,
        sequence=0,
        owner_tag=owner_tag,
        cipher_image=CipherImage.from_bytes(companion) if kind == _CIPHER_IMAGE else None,
        code=np.frombuffer(companion, np.uint8) if kind == _CODE else None,
        sealed_original=body[start:],
    )


def _companion(item: Item) -> tuple[int, bytes]:
    """Return the kind and the bytes of what the seal binds beside it."""
    if item.cipher_image is not None:
        return _CIPHER_IMAGE, item.cipher_image.to_bytes()
    if item.code is not None:
        return _CODE, item.code.tobytes()
    return _NOTHING, b""
