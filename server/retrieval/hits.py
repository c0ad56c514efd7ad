"""Search responses, made of pieces that protobuf has encoded once.

Encoded messages of repeated fields that stand one behind the other are, by definition of the
encoding, one message with the elements of all. So what an answer says of a row, its item id and
revision, is encoded when that row is first found; to answer is to copy.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor
from numpy.typing import NDArray

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

    def ByteSize(self) -> int:  # noqa: N802 - as above
        """Return how many those are."""
        return len(self._data)

    def with_items(self, items: Sequence[item_pb2.StoredItem]) -> "EncodedResponse":
        """Return it with stored items beside its hits."""
        return EncodedResponse(self._data + pb.SearchResponse(items=items).SerializeToString())


def encoded_responses(answer: Answer, kind: Kind, count: int) -> list[bytes]:
    """Return the hits of each `count` queries, in their order, as a `SearchResponse` of its own."""
    tail = _tail(answer.sequence, answer.generation)
    results = _encoded_results(answer, kind)
    if count == 1:
        return [each + tail for each in results]
    return [
        b"".join([*results[start : start + count], tail]) for start in range(0, len(results), count)
    ]


@lru_cache(64)
def _tail(sequence: int, generation: int) -> bytes:
    """Return what a response says beside its results."""
    return pb.SearchResponse(sequence=sequence, generation=generation).SerializeToString()


def _encoded_results(answer: Answer, kind: Kind) -> list[bytes]:
    """Return the field `results` of each query."""
    if kind is Kind.CODE:
        tag, scores = _DISTANCES, _distances(answer)
    else:
        tag, scores = _SIMILARITIES, _similarities(answer)
    known: Any = answer.source.encoded.__getitem__
    results = []
    for positions, numbers in zip(answer.positions, scores, strict=True):
        try:
            named = b"".join(map(known, positions))
        except TypeError:  # some are found for the first time
            named = _named(answer.source, positions)
        hits = named + tag + _varint(len(numbers)) + numbers
        results.append(_RESULTS + _varint(len(hits)) + hits)
    return results


def _named(index: ItemIndex, positions: Sequence[int]) -> bytes:
    """Return the ids and revisions of the rows at positions, and keep them."""
    for each in positions:
        if index.encoded[each] is None:
            item_id, revision = index.names.item_id(each), index.names.revisions[each]
            hit = pb.Hits(item_ids=[item_id], revisions=[revision])
            index.encoded[each] = hit.SerializeToString()
    return b"".join([index.encoded[each] or b"" for each in positions])


def _similarities(answer: Answer) -> list[bytes]:
    """Return the similarities of each query, packed."""
    return _cut(answer, answer.scores.astype("<f4", copy=False), 4)


def _distances(answer: Answer) -> list[bytes]:
    """Return the distances of each query, packed."""
    if answer.source.generation.length <= _LARGEST_BYTE:
        return _cut(answer, answer.scores.astype(np.uint8), 1)
    return [
        b"".join([_varint(each) for each in row[: len(positions)]])
        for row, positions in zip(answer.scores.tolist(), answer.positions, strict=True)
    ]


def _cut(answer: Answer, scores: NDArray[Any], size: int) -> list[bytes]:
    """Return the bytes of the scores of each query's hits, of so many bytes each."""
    data, width = scores.tobytes(), size * scores.shape[1]
    return [
        data[start : start + size * len(positions)]
        for start, positions in zip(range(0, len(data), width), answer.positions, strict=True)
    ]


_LARGEST_BYTE = 0x7F  # of a varint


@lru_cache(4096)
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


_RESULTS = _tag(pb.SearchResponse.DESCRIPTOR, "results")
_SIMILARITIES = _tag(pb.Hits.DESCRIPTOR, "similarities")
_DISTANCES = _tag(pb.Hits.DESCRIPTOR, "distances")
