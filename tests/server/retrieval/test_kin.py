"""Where the queries of an encoded request lie, with protobuf's own reading as the judge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cipherlens.server.retrieval.kin import queries_span
from cipherlens.v1 import retrieval_service_pb2 as pb

UNKNOWN = {
    "number": bytes([15 << 3 | 0, 0x96, 0x01]),
    "eight bytes": bytes([15 << 3 | 1, *range(8)]),
    "bytes": bytes([15 << 3 | 2, 3, 7, 7, 7]),
    "four bytes": bytes([15 << 3 | 5, *range(4)]),
}
GROUP = bytes([15 << 3 | 3, 15 << 3 | 4])


def request(kind, data, **fields):
    made = pb.SearchRequest(**fields)
    getattr(made, kind).data = data
    setattr(getattr(made, kind), "bits" if kind == "codes" else "dimension", 8)
    return made


@given(
    kind=st.sampled_from(["vectors", "codes"]),
    data=st.binary(min_size=1, max_size=300),
    other=st.binary(min_size=300, max_size=300),
    collection=st.text(max_size=20),
    k=st.integers(0, 5000),
    digest=st.binary(max_size=40),
)
def test_other_bytes_in_the_span_are_another_query_and_nothing_else(
    kind, data, other, collection, k, digest
):
    said = {"collection": collection, "k": k, "model_digest": digest}
    encoded = request(kind, data, **said).SerializeToString()
    start, stop = queries_span(encoded)
    assert encoded[start:stop] == data
    changed = encoded[:start] + other[: len(data)] + encoded[stop:]
    assert pb.SearchRequest.FromString(changed) == request(kind, other[: len(data)], **said)


@pytest.mark.parametrize("extra", UNKNOWN.values(), ids=UNKNOWN)
def test_fields_of_a_newer_protocol_are_passed_over(extra):
    encoded = extra + request("codes", b"abc").SerializeToString() + extra
    start, stop = queries_span(encoded)
    assert pb.SearchRequest.FromString(encoded).codes.data == encoded[start:stop] == b"abc"


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        pb.SearchRequest(collection="c", k=3).SerializeToString(),
        request("codes", b"").SerializeToString(),
        request("codes", b"ab").SerializeToString() + request("codes", b"cd").SerializeToString(),
        request("codes", b"ab").SerializeToString() + request("vectors", b"c").SerializeToString(),
        GROUP + request("codes", b"ab").SerializeToString(),
    ],
    ids=["nothing", "no queries", "no bytes", "twice", "two kinds", "a group"],
)
def test_what_is_not_there_just_once_has_no_span(encoded):
    pb.SearchRequest.FromString(encoded)
    assert queries_span(encoded) is None
