"""Sealed networks: a hash network on its way from the owner to the users.

Whoever can run a hash network can match any picture to the codes that a server stores, so it
travels and lies sealed, and is opened in memory by whoever holds the key. A sealed network is,
little-endian:

    offset  size  field
         0     4  magic "CLSN"
         4     1  format version, 2
         5    16  fingerprint of the key
        21     8  length of the checkpoint
        29    32  salt
        61     -  AES-256-GCM ciphertext of the checkpoint, and 16-byte tag
         -    64  the owner's Ed25519 signature

The key is a subkey of the key entry's root with a context of its own, the header is bound, and
salt, key, nonce and signature are those of every seal: see `salted`. No checkpoint begins with
these four bytes, so that a reader can tell the two apart. Format 1 had no signature, and does not
open.
"""

import struct
from contextlib import suppress
from functools import partial

from cryptography.exceptions import InvalidSignature, InvalidTag

from cipherlens.crypto.errors import NotGranted, OpenError
from cipherlens.crypto.key import Key
from cipherlens.crypto.key_entry import KeyEntry
from cipherlens.crypto.keyring import Keyring
from cipherlens.crypto.salted import (
    OVERHEAD_SIZE,
    decrypt_salted,
    encrypt_salted,
    item_key,
    new_salt,
)
from cipherlens.crypto.signing import Signed, is_signed

MAGIC = b"CLSN"
"""What a sealed network begins with."""

MAX_CHECKPOINT_SIZE = 2**31 - 2**20
"""The largest checkpoint in bytes: the cipher takes less than 2 GiB at once."""

_FORMAT_VERSION = 2
_HEADER = struct.Struct("<4sB16sQ32s")


def seal_network(checkpoint: bytes, key: KeyEntry) -> bytes:
    """Return a checkpoint sealed under a key; sealing hides the bytes but not their number.

    Raises:
        ValueError: it is larger than a seal can hold, or sealed already.
    """
    if len(checkpoint) > MAX_CHECKPOINT_SIZE:
        raise ValueError(
            f"checkpoint must have at most {MAX_CHECKPOINT_SIZE} bytes, got {len(checkpoint)}"
        )
    if is_sealed_network(checkpoint):
        raise ValueError("checkpoint must be a plain one, this is a sealed network")
    salt = new_salt()
    header = _HEADER.pack(MAGIC, _FORMAT_VERSION, key.fingerprint, len(checkpoint), salt)
    sign = partial(key.sign, Signed.NETWORK)
    return header + encrypt_salted(key.network_key(), salt, checkpoint, [header], sign)


def open_network(sealed: bytes, key: Key) -> bytes:
    """Return the checkpoint in a sealed network.

    Raises:
        OpenError: it is of another key, altered, cut short or no sealed network of this version;
            the same error for all of them.
        NotGranted: the key is a granted one without networks.
    """
    try:
        return _open(sealed, key)
    except (InvalidTag, InvalidSignature, ValueError, struct.error):
        pass
    raise OpenError  # outside of the handler, so that it carries no cause


def read_network(data: bytes, keyring: Keyring) -> bytes:
    """Return a checkpoint as it is, or opened with the key of the keyring that sealed it.

    Raises:
        UnknownKey: it is sealed, and the keyring does not hold the key that its header names.
        NotGranted: of that key the keyring holds grants without networks only.
        OpenError: it does not open.
    """
    if not is_sealed_network(data):
        return data
    _, _, fingerprint, _, _ = _header(data)
    *others, last = keyring.holders(fingerprint)
    for key in others:
        with suppress(NotGranted):
            return open_network(data, key)
    return open_network(data, last)


def is_sealed_network(data: bytes) -> bool:
    """Return whether bytes, all or the first of a file, are those of a sealed network."""
    return data.startswith(MAGIC)


def _header(data: bytes) -> tuple[bytes, int, bytes, int, bytes]:
    """Return the fields of a header. Raises OpenError if it is cut short."""
    try:
        fields: tuple[bytes, int, bytes, int, bytes] = _HEADER.unpack_from(data)
    except struct.error:
        raise OpenError from None
    return fields


def _open(sealed: bytes, key: Key) -> bytes:
    """Return the checkpoint, or raise one of several errors that nobody should see."""
    magic, version, fingerprint, size, salt = _HEADER.unpack_from(sealed)
    if (magic, version, fingerprint) != (MAGIC, _FORMAT_VERSION, key.fingerprint):
        raise ValueError("not a sealed network of this version and key")
    if len(sealed) != _HEADER.size + size + OVERHEAD_SIZE:
        raise ValueError("the length is wrong")
    header, body = sealed[: _HEADER.size], sealed[_HEADER.size :]
    check = partial(is_signed, key.verify_key, Signed.NETWORK)
    return decrypt_salted(item_key(key.network_key(), salt), body, [header], check)
