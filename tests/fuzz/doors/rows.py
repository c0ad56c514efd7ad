"""Rows of vectors and codes, as they stand in requests."""

import struct

import numpy as np

from cipherlens.base import BITS
from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField
from cipherlens.server.retrieval.content import batches_like
from cipherlens.v1.representation_pb2 import Codes, Vectors
from tests.fuzz.target import Target

_LIMITS = Limits(max_dimension=64)
_HEAD = struct.Struct("<I")


def vectors(_folder):
    """A dimension, and bytes of vectors: refused, or unit vectors of the same directions."""

    def attempt(data):
        dimension, rows = _parts(data)
        message = Vectors(dimension=dimension, data=rows)
        try:
            batch = batches_like(message, _LIMITS)(message.data)
        except InvalidField:
            return False
        sent = np.frombuffer(rows, "<f4").reshape(-1, dimension).astype(np.float64)
        assert batch.rows.shape == sent.shape
        np.testing.assert_allclose(np.linalg.norm(batch.rows, axis=1), 1, atol=1e-5)
        cosines = (batch.rows * sent).sum(axis=1) / np.linalg.norm(sent, axis=1)
        np.testing.assert_allclose(cosines, 1, atol=1e-5)
        return True

    rows = np.random.default_rng(0).normal(size=(3, 4)).astype("<f4")
    wide = np.array([[1e-30, 0], [3e38, 3e38], [1, -0.0]], "<f4")
    seeds = [_HEAD.pack(each.shape[1]) + each.tobytes() for each in (rows, wide)]
    return Target(name="vectors", seeds=seeds, attempt=attempt, most_bytes=2000)


def codes(_folder):
    """A number of bits, and bytes of codes: refused, or the codes as they are."""

    def attempt(data):
        bits, rows = _parts(data)
        message = Codes(bits=bits, data=rows)
        try:
            batch = batches_like(message, _LIMITS)(message.data)
        except InvalidField:
            return False
        assert bits in BITS
        assert batch.rows.tobytes() == rows
        assert not bits % 8 or not (batch.rows[:, -1] >> bits % 8).any()
        return True

    seeds = [
        _HEAD.pack(bits) + bytes(range(2 * -(-bits // 8))).replace(b"\x03", b"\x01")
        for bits in BITS
    ]
    return Target(name="codes", seeds=seeds, attempt=attempt, most_bytes=2000)


def _parts(data):
    """Return the number that data begins with, and the rest."""
    (number,) = _HEAD.unpack_from(data.ljust(_HEAD.size, b"\0"))
    return number, data[_HEAD.size :]
