"""Masks that keep distances: what codes and vectors become before a server sees them.

A code's bits are put into a keyed order and a keyed half of them is flipped: every Hamming distance
stays what it was. A vector is turned by a keyed orthogonal map: every length and every angle stays,
but for rounding. Both come from the collection's mask key, so that what two collections hold has
nothing in common, and what a server holds means nothing to who has the encoder alone.

A mask hides neither distances nor who is near to whom, and enough known pairs undo it: those of d
vectors of d numbers, or of a few more than 2 log2(n) codes of n bits.

The orthogonal map is four rounds, each of random signs, a random permutation, and Hadamard
transforms side by side, of the powers of two that sum up to the dimension: exactly orthogonal for
every dimension, and of d log d steps (compare the fast Johnson-Lindenstrauss transform, Ailon and
Chazelle 2009). The streams are keyed BLAKE3 of a message of 32 bytes, little-endian:

    offset  size  field
         0     2  mask version, 1
         2     1  purpose (1 order of bits, 2 flips, 3 signs, 4 order of numbers)
         3     1  round, from 0
         4     4  length: bits of a code, or numbers of a vector
         8    24  zero

An order of n is the stable argsort of n 64-bit words of a stream; flips and signs are its bits.
"""

import struct
from collections.abc import Callable
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from cipherlens.base import check_bits, code_size_bytes
from cipherlens.crypto.hazmat.schedule import stable_argsort

Rows = npt.NDArray[np.float64]

MASK_VERSION = 1
"""Version of the masks, and what their names begin with."""

_KEY_SIZE = 32
_ROUNDS = 4
_STREAM = struct.Struct("<HBBI24x")
_BIT_ORDER, _FLIPS, _SIGNS, _NUMBER_ORDER = 1, 2, 3, 4
_PIECE = 16  # rows at a time
_BASE = 32  # a Hadamard transform is done by products with matrices of at most so many rows


def mask_id(fingerprint: bytes) -> str:
    """Return the name of the masks of a key: who has it can tell that he has the right one."""
    return f"mask-{MASK_VERSION}-{fingerprint.hex()}"


class CodeMask:
    """The mask of the codes of one collection."""

    def __init__(self, mask_key: bytes, bits: int) -> None:
        """Take the collection's 32-byte mask key and the length of a code.

        Raises:
            ValueError: the key has another length, or there are no codes of so many bits.
        """
        _check_key(mask_key)
        check_bits(bits)
        self._bits = bits
        self._order = _order(mask_key, _BIT_ORDER, 0, bits)
        self._flips = _bits(mask_key, _FLIPS, 0, bits)

    def masked(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return codes as the server may see them, (n, ceil(bits / 8)) uint8."""
        return self._packed(self._unpacked(codes)[:, self._order] ^ self._flips)

    def unmasked(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return what `masked` was given, bit for bit."""
        plain = np.empty((len(codes), self._bits), np.uint8)
        plain[:, self._order] = self._unpacked(codes) ^ self._flips
        return self._packed(plain)

    def _unpacked(self, codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        width = code_size_bytes(self._bits)
        if codes.dtype != np.uint8 or codes.ndim != 2 or codes.shape[1] != width:
            raise ValueError(
                f"codes must be (n, {width}) uint8 for {self._bits} bits, "
                f"got {codes.shape} {codes.dtype}"
            )
        return np.unpackbits(codes, axis=1, count=self._bits, bitorder="little")

    def _packed(self, bits: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        return np.packbits(bits, axis=1, bitorder="little")


class VectorMask:
    """The mask of the vectors of one collection: an orthogonal map.

    Done in float64 and rounded to float32 once, so that a cosine of unit vectors stays the same
    within 1e-6.
    """

    def __init__(self, mask_key: bytes, dimension: int) -> None:
        """Take the collection's 32-byte mask key and the numbers in a vector.

        Raises:
            ValueError: the key has another length, or the dimension is below 1.
        """
        _check_key(mask_key)
        if dimension < 1:
            raise ValueError(f"dimension must be at least 1, got {dimension}")
        self._dimension = dimension
        rounds = range(_ROUNDS)
        self._orders = [_order(mask_key, _NUMBER_ORDER, each, dimension) for each in rounds]
        self._signs = [
            1.0 - 2.0 * _bits(mask_key, _SIGNS, each, dimension).astype(np.float64)
            for each in rounds
        ]

    def masked(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return vectors as the server may see them, (n, dimension) float32."""
        return self._in_pieces(vectors, self._turned)

    def unmasked(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """Return what `masked` was given, but for rounding."""
        return self._in_pieces(vectors, self._turned_back)

    def _in_pieces(
        self, vectors: npt.NDArray[np.floating], turn: Callable[[Rows], Rows]
    ) -> npt.NDArray[np.float32]:
        """Return vectors turned, a few at a time: more would not stay in the processor's cache."""
        if vectors.ndim != 2 or vectors.shape[1] != self._dimension:
            raise ValueError(f"vectors must be (n, {self._dimension}), got {vectors.shape}")
        result = np.empty(vectors.shape, np.float32)
        for start in range(0, len(vectors), _PIECE):
            piece = slice(start, start + _PIECE)
            result[piece] = turn(vectors[piece].astype(np.float64))
        return result

    def _turned(self, rows: Rows) -> Rows:
        for order, signs in zip(self._orders, self._signs, strict=True):
            rows = self._transformed((rows * signs)[:, order])
        return rows

    def _turned_back(self, rows: Rows) -> Rows:
        for order, signs in zip(self._orders[::-1], self._signs[::-1], strict=True):
            back = np.empty_like(rows)
            back[:, order] = self._transformed(rows)  # a Hadamard transform undoes itself
            rows = back * signs
        return rows

    @cached_property
    def _spans(self) -> list[slice]:
        """The powers of two that sum up to the dimension, largest first, side by side."""
        spans, start = [], 0
        for exponent in reversed(range(self._dimension.bit_length())):
            if self._dimension >> exponent & 1:
                spans.append(slice(start, start + 2**exponent))
                start += 2**exponent
        return spans

    def _transformed(self, rows: Rows) -> Rows:
        """Return rows with the transform of each span, orthonormal."""
        result = np.empty_like(rows)
        for span in self._spans:
            result[:, span] = hadamard_transform(rows[:, span])
        return result


def hadamard_transform(rows: Rows) -> Rows:
    """Return the orthonormal Walsh-Hadamard transform of every row, of a power of two numbers.

    The matrix of 2^(a+b) is the Kronecker product of those of 2^a and 2^b, so that small matrix
    products do it.
    """
    count, length = rows.shape
    if length <= _BASE:
        turned: Rows = rows @ _hadamard(length)
        return turned
    right = length // _BASE
    squares = rows.reshape(count, _BASE, right)
    turned = _hadamard(_BASE) @ squares
    result: Rows = hadamard_transform(turned.reshape(-1, right)).reshape(count, length)
    return result


@lru_cache(maxsize=8)
def _hadamard(length: int) -> Rows:
    """Return the orthonormal, symmetric Hadamard matrix of a power of two rows."""
    matrix = np.ones((1, 1))
    while len(matrix) < length:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    scaled: Rows = matrix / np.sqrt(length)
    return scaled


def _check_key(mask_key: bytes) -> None:
    if len(mask_key) != _KEY_SIZE:
        raise ValueError(f"mask_key must be {_KEY_SIZE} bytes, got {len(mask_key)}")


def _stream(mask_key: bytes, purpose: int, number: int, length: int, size: int) -> bytes:
    message = _STREAM.pack(MASK_VERSION, purpose, number, length)
    return blake3(message, key=mask_key).digest(length=size)


def _order(mask_key: bytes, purpose: int, number: int, length: int) -> npt.NDArray[np.intp]:
    words = np.frombuffer(_stream(mask_key, purpose, number, length, 8 * length), "<u8")
    order: npt.NDArray[np.intp] = stable_argsort(words[None])[0]
    return order


def _bits(mask_key: bytes, purpose: int, number: int, length: int) -> npt.NDArray[np.uint8]:
    data = np.frombuffer(_stream(mask_key, purpose, number, length, -(-length // 8)), np.uint8)
    return np.unpackbits(data, count=length, bitorder="little")
