"""Checksums of rows: they find damage by disk or mishap, not by an attacker."""

import struct

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

Value = bytes | str | int | bool

CHECKSUM_BYTES = 16

_HEAD = struct.Struct("<cQ")
_NUMBER = struct.Struct("<q")

# What values of another type than their column's raise.
UNREADABLE = (AttributeError, OverflowError, TypeError, struct.error)


def checksum(*values: Value) -> bytes:
    """Return 16 bytes over the values.

    Each goes in with its type and length, so that no two lists collide by joining.
    """
    # One piece for the hash: a start checks two rows an item, and calls cost more than a copy.
    parts: list[bytes] = []
    for value in values:
        tag, data = _encoded(value)
        parts += (_HEAD.pack(tag, len(data)), data)
    return xxh3_128_digest(b"".join(parts))


def agrees(stored: object, *values: object) -> bool:
    """Return whether the values, as read from a row, have this checksum.

    A damaged row may hold anything, even another type than its column's.
    """
    try:
        return checksum(*values) == stored  # type: ignore[arg-type]
    except UNREADABLE:
        return False


def with_sequence(digest: bytes, sequence: int) -> bytes:
    """Return the checksum of a row, of the digest of all else in it and its sequence.

    A digest can so be made before the sequence is known, outside of the lock that gives it. Twice
    it gives the digest back.
    """
    return (int.from_bytes(digest, "little") ^ sequence).to_bytes(CHECKSUM_BYTES, "little")


def with_sequences(digests: NDArray[np.uint64], first: int) -> list[bytes]:
    """Return the checksums of rows in sequence, the first one's given.

    digests: (n, 2) little-endian uint64, those of `with_sequence`.
    """
    stamped = digests.copy()
    stamped[:, 0] ^= np.arange(first, first + len(digests), dtype=np.uint64)
    checksums: list[bytes] = stamped.view(f"V{CHECKSUM_BYTES}").ravel().tolist()
    return checksums


def _encoded(value: Value) -> tuple[bytes, bytes]:
    if isinstance(value, bytes):
        return b"b", value
    if isinstance(value, str):
        # What is not UTF-8 in a damaged row was read with surrogates; here it is only compared.
        return b"s", value.encode(errors="surrogateescape")
    return b"i", _NUMBER.pack(value)
