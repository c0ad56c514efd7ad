"""Search requests that differ in nothing but their queries, told apart without decoding them.

Where a field with a length begins, and what stands behind it, does not depend on its bytes: two
messages of one length that are equal around the same field differ in that field alone.
"""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor

from cipherlens.v1 import representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}


def _number(message: Descriptor, name: str) -> int:
    return message.fields_by_name[name].number


_DATA = {
    _number(pb.SearchRequest.DESCRIPTOR, name): _number(message, "data")
    for name, message in (
        ("vectors", representation_pb2.Vectors.DESCRIPTOR),
        ("codes", representation_pb2.Codes.DESCRIPTOR),
    )
}
"""The number of the field `data` within each field of queries that are rows."""


def queries_span(request: bytes) -> tuple[int, int] | None:
    """Return where the bytes of vectors or codes begin and end in a `SearchRequest`.

    request: a message that protobuf has decoded, so that it is well formed.

    None if it has none, or says them more than once: the last one would count.
    """
    try:
        fields = [each for each in _fields(request, 0, len(request)) if each[0] in _DATA]
        if len(fields) != 1:
            return None
        number, start, stop = fields[0]
        data = [each[1:] for each in _fields(request, start, stop) if each[0] == _DATA[number]]
    except _GroupError:
        return None
    return data[0] if len(data) == 1 else None


class _GroupError(Exception):
    """The message has a field of a kind that no message of ours has: who knows what is in it."""


def _fields(message: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and stop of the fields with a length in message[at:end]."""
    while at < end:
        tag, at = _varint(message, at)
        wire_type = tag & 7
        if wire_type == _VARINT:
            _, at = _varint(message, at)
        elif wire_type == _LENGTH:
            size, at = _varint(message, at)
            yield tag >> 3, at, at + size
            at += size
        elif wire_type in _FIXED_BYTES:
            at += _FIXED_BYTES[wire_type]
        else:
            raise _GroupError


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """Return the number that begins there, and where it ends."""
    number = shift = 0
    while True:
        byte = message[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
