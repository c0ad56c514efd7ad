"""Binary codes as they travel: their lengths, and how bits are packed into bytes.

Bit i of a code is bit (i mod 8) of byte i // 8; the bits past the last one are zero.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

BITS = (12, 24, 32, 48, 64, 128, 256)
"""The lengths of code that a collection can have; DLHEIR's are the first four."""

# Of those lengths the one that is no whole number of bytes, by the bytes that it takes.
_BITS_OF_BYTES = {code_bytes: bits for bits in BITS if bits % 8 for code_bytes in [-(-bits // 8)]}


def check_bits(bits: int) -> None:
    """Raise ValueError unless a collection can hold codes of this many bits."""
    if bits not in BITS:
        raise ValueError(f"bits must be one of {BITS}, got {bits}")


def code_size_bytes(bits: int) -> int:
    """Return the length of a code in bytes."""
    return -(-bits // 8)


def code_bits(size_bytes: int) -> int:
    """Return the length in bits of codes that take so many bytes: two bytes are 12 bits."""
    return _BITS_OF_BYTES.get(size_bytes, 8 * size_bytes)


def pack_bits(bits: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Return (rows, bits) of 0 and 1 as (rows, ceil(bits / 8)) uint8."""
    return np.packbits(np.asarray(bits, dtype=bool), axis=-1, bitorder="little")


def check_codes(codes: npt.NDArray[Any], bits: int, name: str = "codes") -> None:
    """Raise unless these are packed codes.

    Args:
        codes: (n, ceil(bits / 8)) uint8.
        bits: their length.
        name: what the error calls them.

    Raises:
        TypeError: they are no array of uint8.
        ValueError: another shape, or a code with an unused bit set; the text names its row.
    """
    if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
        raise TypeError(f"{name} must be an array of uint8, got {getattr(codes, 'dtype', codes)}")
    size = code_size_bytes(bits)
    if codes.ndim != 2 or codes.shape[1] != size:
        raise ValueError(
            f"{name} of {bits} bits must have the shape (n, {size}), got {codes.shape}"
        )
    if not bits % 8:
        return
    spoiled = codes[:, -1] >> bits % 8
    if spoiled.any():
        row = int(np.flatnonzero(spoiled)[0])
        raise ValueError(f"{name}: code {row} has bits set beyond its {bits} bits")
