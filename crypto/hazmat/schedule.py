"""From one 32-byte root to every key and every keyed sequence (SPEC of the scheme, version 1).

Two layers, both BLAKE3:

1. Subkeys: `derive_key(context, root)` with one fixed context string per purpose. Nothing that
   varies ever enters a context string.
2. Streams: the keyed hash of a subkey, as an extendable output, over a message of fixed length
   that says what the stream is for. The message is 32 bytes, little-endian:

       offset  size  field
            0     2  scheme version
            2     2  block size P
            4     4  number of substituted blocks M
            8     4  number of blocks
           12     1  purpose (1 permutation, 2 selection, 3 substitution)
           13     1  channel (0 R, 1 G, 2 B; 0 where the purpose has no channel)
           14     2  zero
           16    16  nonce

A permutation of n is the stable argsort of the first n little-endian 64-bit words of a stream:
uniform but for ties, which have a chance of about n^2 / 2^65.
"""

import struct
import uuid
from collections.abc import Mapping
from enum import Enum

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from cipherlens.base import FINGERPRINT_BYTES
from cipherlens.crypto.parameters import CipherParameters

ROOT_SIZE = 32
"""Bytes of a root, of a subkey and of a digest."""

COLOUR_LEVELS = 256
"""Values of a pixel in one channel, and entries of a substitution table."""

_STREAM = struct.Struct("<HHIIBBxx16s")
_FINGERPRINT_CONTEXT = "cipherlens 2026-11-21 v1 key fingerprint"


class Purpose(Enum):
    """What a subkey is for; the value is its BLAKE3 context string.

    No other purpose ever takes "cipherlens 2026-11-21 v1 subkey sign": owners once signed under it.
    """

    PERMUTATION = "cipherlens 2026-11-21 v1 subkey block permutation"
    SELECTION = "cipherlens 2026-11-21 v1 subkey block selection"
    SUBSTITUTION_R = "cipherlens 2026-11-21 v1 subkey substitution R"
    SUBSTITUTION_G = "cipherlens 2026-11-21 v1 subkey substitution G"
    SUBSTITUTION_B = "cipherlens 2026-11-21 v1 subkey substitution B"
    SEAL = "cipherlens 2026-11-21 v1 subkey seal"
    MASK = "cipherlens 2026-11-21 v1 subkey mask"
    NETWORK = "cipherlens 2026-11-21 v1 subkey network"
    TAG = "cipherlens 2026-11-21 v1 subkey tag"


_STREAM_CODES = {
    Purpose.PERMUTATION: (1, 0),
    Purpose.SELECTION: (2, 0),
    Purpose.SUBSTITUTION_R: (3, 0),
    Purpose.SUBSTITUTION_G: (3, 1),
    Purpose.SUBSTITUTION_B: (3, 2),
}


IMAGE_PURPOSES = tuple(_STREAM_CODES)
"""What the image cipher has subkeys for."""


class ImageKeys:
    """The five subkeys of the image cipher; they do not tell the root."""

    def __init__(self, subkeys: Mapping[Purpose, bytes]) -> None:
        """Take a 32-byte subkey for each of `IMAGE_PURPOSES`. Raises ValueError for others."""
        if set(subkeys) != set(IMAGE_PURPOSES):
            raise ValueError("subkeys must be those of the five purposes of the image cipher")
        for purpose, subkey in subkeys.items():
            if len(subkey) != ROOT_SIZE:
                raise ValueError(f"{purpose.name} must be {ROOT_SIZE} bytes, got {len(subkey)}")
        self._subkeys = dict(subkeys)

    @classmethod
    def of(cls, root: bytes) -> "ImageKeys":
        """Return the subkeys of a root."""
        return cls({purpose: derive_subkey(root, purpose) for purpose in IMAGE_PURPOSES})

    def __getitem__(self, purpose: Purpose) -> bytes:
        """Return the subkey of a purpose."""
        return self._subkeys[purpose]

    def __repr__(self) -> str:
        """Show nothing: they are secret."""
        return "ImageKeys()"


def derive_subkey(root: bytes, purpose: Purpose) -> bytes:
    """Return the 32-byte subkey of a root for one purpose."""
    return blake3(root, derive_key_context=purpose.value).digest()


def derive_collection_key(root: bytes, purpose: Purpose, collection_uuid: uuid.UUID) -> bytes:
    """Return the 32-byte key of a root for one purpose in one collection.

    The UUID goes into the message of a keyed hash, 16 bytes in its big-endian standard order.
    """
    return blake3(collection_uuid.bytes, key=derive_subkey(root, purpose)).digest()


def fingerprint(root: bytes) -> bytes:
    """Return the 16-byte public name of a root; it tells nothing else about the root."""
    return blake3(root, derive_key_context=_FINGERPRINT_CONTEXT).digest(length=FINGERPRINT_BYTES)


def stream_message(parameters: CipherParameters, purpose: Purpose, nonce: bytes) -> bytes:
    """Return the 32 bytes that a stream is the keyed hash of, as laid out above."""
    code, channel = _STREAM_CODES[purpose]
    return _STREAM.pack(
        parameters.scheme_version,
        parameters.block_size,
        parameters.substituted_blocks,
        parameters.blknum,
        code,
        channel,
        nonce,
    )


def derive_permutations(
    keys: ImageKeys,
    purpose: Purpose,
    parameters: CipherParameters,
    nonces: npt.NDArray[np.uint8],
    size: int,
) -> npt.NDArray[np.intp]:
    """Return one keyed permutation of 0..size-1 for every nonce.

    Args:
        keys: the subkeys of a key.
        purpose: one of the five purposes that have a stream.
        parameters: the parameters of the key entry.
        nonces: (n, 16) uint8.
        size: length of a permutation.

    Returns:
        (n, size) intp.
    """
    subkey = keys[purpose]
    streams = [
        blake3(stream_message(parameters, purpose, nonce.tobytes()), key=subkey).digest(
            length=8 * size
        )
        for nonce in nonces
    ]
    words = np.frombuffer(b"".join(streams), dtype="<u8").reshape(len(nonces), size)
    return stable_argsort(words)


def stable_argsort(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.intp]:
    """Return the stable argsort of every row of (n, size) words.

    NumPy's default sort is several times faster than its stable one, and the two differ only
    where words are equal: so the rare row with a tie is sorted a second time.
    """
    order = np.argsort(words, axis=1)
    ordered = np.take_along_axis(words, order, axis=1)
    tied = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
    if tied.any():
        order[tied] = np.argsort(words[tied], axis=1, kind="stable")
    return order
