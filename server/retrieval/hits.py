"""Search responses, made of pieces that protobuf has encoded once.

Encoded messages of repeated fields that stand one behind the other are, by definition of the
encoding, one message with the elements of all. So what an answer says of a row, its item id and
revision, is encoded when that row is first found; to answer is to copy.
"""

from collections.abc import Sequence

import numpy as np
from google.protobuf.descriptor import Descriptor

from cipherlens.base import Kind
from cipherlens.server.engine import Answer, ItemIndex
from cipherlens.v1 import item_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb


class EncodedResponse:
    """A `SearchResponse` as it travels."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:  # noqa: N802 as a message has it
        """Return its bytes."""
        return self._data

    def __len__(self) -> int:
        """Return how many bytes it takes."""
        return len(self._data)

    def with_items(self, items: Sequence[item_pb2.StoredItem]) -> "EncodedResponse":
        """Return it with stored items beside its hits."""
        return EncodedResponse(self._data + pb.SearchResponse(items=items).SerializeToString())


def encoded_responses(answer: Answer, kind: Kind, count: int) -> list[EncodedResponse]:
    """Return the hits of each `count` queries, in their order, as a response of its own."""
    told = pb.SearchResponse(sequence=answer.sequence, generation=answer.generation)
    tail = told.SerializeToString()
    results = _encoded_results(answer, kind)
    if len(results) == count:
        return [EncodedResponse(b"".join([*results, tail]))]
    return [
        EncodedResponse(b"".join([*results[start : start + count], tail]))
        for start in range(0, len(results), count)
    ]


def _encoded_results(answer: Answer, kind: Kind) -> list[bytes]:
    """Return the field `results` of each query."""
    scores = _distances(answer) if kind is Kind.CODE else _similarities(answer)
    tag = _DISTANCES if kind is Kind.CODE else _SIMILARITIES
    return [
        _field(_RESULTS, _named(answer.source, positions) + _field(tag, numbers))
        for positions, numbers in zip(answer.positions, scores, strict=True)
    ]


def _named(index: ItemIndex, positions: Sequence[int]) -> bytes:
    """Return the ids and revisions of the rows at positions."""
    known = index.encoded
    try:
        return b"".join([known[each] for each in positions])  # type: ignore[misc]
    except TypeError:  # some are found for the first time
        for each in positions:
            if known[each] is None:
                hit = pb.Hits(item_ids=[index.ids[each]], revisions=[index.revisions[each]])
                known[each] = hit.SerializeToString()
        return _named(index, positions)


def _similarities(answer: Answer) -> list[bytes]:
    """Return the similarities of each query, packed."""
    width = 4 * answer.scores.shape[1]
    data = answer.scores.astype("<f4", copy=False).tobytes()
    return [
        data[row * width : row * width + 4 * len(positions)]
        for row, positions in enumerate(answer.positions)
    ]


def _distances(answer: Answer) -> list[bytes]:
    """Return the distances of each query, packed."""
    width = answer.scores.shape[1]
    if answer.source.generation.length <= _LARGEST_BYTE:
        data = answer.scores.astype(np.uint8).tobytes()
        return [
            data[row * width : row * width + len(positions)]
            for row, positions in enumerate(answer.positions)
        ]
    return [
        b"".join([_varint(each) for each in row[: len(positions)]])
        for row, positions in zip(answer.scores.tolist(), answer.positions, strict=True)
    ]


_LARGEST_BYTE = 0x7F  # of a varint


def _varint(number: int) -> bytes:
    """Return a number as protobuf encodes it: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while number > _LARGEST_BYTE:
        encoded.append(number & _LARGEST_BYTE | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _tag(message: Descriptor, name: str) -> bytes:
    """Return what stands before a field that has a length: a message, or packed numbers."""
    return _varint(message.fields_by_name[name].number << 3 | 2)


def _field(tag: bytes, data: bytes) -> bytes:
    return tag + _varint(len(data)) + data


_RESULTS = _tag(pb.SearchResponse.DESCRIPTOR, "results")
_SIMILARITIES = _tag(pb.Hits.DESCRIPTOR, "similarities")
_DISTANCES = _tag(pb.Hits.DESCRIPTOR, "distances")
