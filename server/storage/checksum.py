"""Checksums of rows: they find damage by disk or mishap, not by an attacker."""

import hashlib
import struct

Value = bytes | str | int | bool

CHECKSUM_BYTES = 16

_HEAD = struct.Struct("<cQ")
_NUMBER = struct.Struct("<q")


def checksum(*values: Value) -> bytes:
    """Return 16 bytes over the values.

    Each goes in with its type and length, so that no two lists collide by joining.
    """
    # One piece for the hash: a start checks two rows an item, and calls cost more than a copy.
    parts: list[bytes] = []
    for value in values:
        tag, data = _encoded(value)
        parts += (_HEAD.pack(tag, len(data)), data)
    return hashlib.blake2b(b"".join(parts), digest_size=CHECKSUM_BYTES).digest()


def agrees(stored: object, *values: object) -> bool:
    """Return whether the values, as read from a row, have this checksum.

    A damaged row may hold anything, even another type than its column's.
    """
    try:
        return checksum(*values) == stored  # type: ignore[arg-type]
    except (TypeError, struct.error):
        return False


def _encoded(value: Value) -> tuple[bytes, bytes]:
    if isinstance(value, bytes):
        return b"b", value
    if isinstance(value, str):
        # What is not UTF-8 in a damaged row was read with surrogates; here it is only compared.
        return b"s", value.encode(errors="surrogateescape")
    return b"i", _NUMBER.pack(value)
