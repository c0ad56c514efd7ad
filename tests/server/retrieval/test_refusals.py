"""What a caller gets wrong, field by field: the code, the details, and that nothing has changed."""

import time

import grpc
import numpy as np
import pytest

from cipherlens.server.config import Limits
from cipherlens.server.engine.searching import Searches
from cipherlens.v1 import collection_pb2, representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb

INVALID = grpc.StatusCode.INVALID_ARGUMENT
VECTOR = collection_pb2.COLLECTION_KIND_VECTOR
CODE = collection_pb2.COLLECTION_KIND_CODE
CIPHER = collection_pb2.COLLECTION_KIND_CIPHER
TEN_YEARS_ON_US = (int(time.time()) + 10 * 365 * 86400) * 10**6


@pytest.fixture(scope="module")
def filled(start_cloud, small_limits, vectors, codes, gaussian):
    """Return a server of small limits with one item in each of two collections.

    One for all tests: what they send changes nothing.
    """
    cloud = start_cloud(limits=small_limits)
    cloud.create()
    cloud.create_codes()
    cloud.index(["a"], vectors=vectors(gaussian(1)))
    cloud.index(["a"], "c", codes=codes([[1, 2]]))
    yield cloud
    cloud.stop(0)


@pytest.fixture
def refused(filled, failure):
    """Return a function that makes a call that must be refused and returns field and metadata."""

    def check(call, *arguments, code=INVALID, reason="INVALID_FIELD", **keywords):
        before = filled.state()
        found, text, details = failure(call, *arguments, **keywords)
        assert found is code, text
        info = details["ErrorInfo"]
        assert (info.domain, info.reason) == ("cipherlens", reason)
        if code is INVALID:
            (violation,) = details["BadRequest"].field_violations
            assert violation.field == info.metadata["field"]
            assert violation.description == text
        assert filled.state() == before
        return info.metadata

    return check


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"name": "", "kind": VECTOR, "dimension": 4}, "name", "INVALID_FIELD"),
        ({"name": "-a", "kind": VECTOR, "dimension": 4}, "name", "INVALID_FIELD"),
        ({"name": "a/b", "kind": VECTOR, "dimension": 4}, "name", "INVALID_FIELD"),
        ({"name": "ä", "kind": VECTOR, "dimension": 4}, "name", "INVALID_FIELD"),
        ({"name": "a\n", "kind": VECTOR, "dimension": 4}, "name", "INVALID_FIELD"),
        ({"name": "a" * 17, "kind": VECTOR, "dimension": 4}, "name", "LIMIT_EXCEEDED"),
        ({"name": "n"}, "kind", "INVALID_FIELD"),
        ({"name": "n", "kind": 77}, "kind", "INVALID_FIELD"),
        ({"name": "n", "kind": VECTOR}, "dimension", "INVALID_FIELD"),
        ({"name": "n", "kind": VECTOR, "dimension": 65}, "dimension", "LIMIT_EXCEEDED"),
        ({"name": "n", "kind": VECTOR, "dimension": 4, "bits": 12}, "bits", "INVALID_FIELD"),
        ({"name": "n", "kind": CODE}, "bits", "INVALID_FIELD"),
        ({"name": "n", "kind": CODE, "bits": 13}, "bits", "INVALID_FIELD"),
        ({"name": "n", "kind": CODE, "bits": 12, "dimension": 1}, "dimension", "INVALID_FIELD"),
        ({"name": "n", "kind": CIPHER}, "profile", "INVALID_FIELD"),
        (
            {"name": "n", "kind": VECTOR, "dimension": 4, "encoder_digest": b"short"},
            "encoder_digest",
            "INVALID_FIELD",
        ),
    ],
)
def test_collections_that_cannot_be(filled, refused, fields, field, reason):
    metadata = refused(
        filled.stub.CreateCollection,
        pb.CreateCollectionRequest(**fields),
        timeout=20,
        reason=reason,
    )
    assert metadata["field"] == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"scope": 0}, "profile.scope"),
        ({"scope": 9}, "profile.scope"),
        ({"key_fingerprint": b"short"}, "profile.key_fingerprint"),
        ({"key_fingerprint": b""}, "profile.key_fingerprint"),
        ({"height": 64, "width": 64}, "profile.height * width"),
        ({"height": 32, "width": 16}, "profile"),
        ({"block_size": 5}, "profile"),
        ({"block_size": 0}, "profile"),
        ({"substituted_blocks": 9}, "profile"),
        ({"scheme_version": 0}, "profile"),
    ],
)
def test_profiles_that_cannot_be(filled, refused, cipher_profile, changes, field):
    request = pb.CreateCollectionRequest(name="n", kind=CIPHER, profile=cipher_profile(**changes))
    reason = "LIMIT_EXCEEDED" if "*" in field else "INVALID_FIELD"
    found = refused(filled.stub.CreateCollection, request, timeout=20, reason=reason)
    assert found["field"] == field


def test_a_name_that_is_taken(filled, refused):
    metadata = refused(
        filled.create,
        kind=VECTOR,
        dimension=3,
        code=grpc.StatusCode.ALREADY_EXISTS,
        reason="ALREADY_EXISTS",
    )
    assert metadata == {"resource": "collection", "name": "v"}


def calls(cloud, vectors, name):
    """Return every call that names a collection."""
    return {
        "GetCollection": lambda: cloud.collection(name),
        "DeleteCollection": lambda: cloud.stub.DeleteCollection(
            pb.DeleteCollectionRequest(name=name), timeout=20
        ),
        "Index": lambda: cloud.index(["n"], name, vectors=vectors([1.0] * 16)),
        "Delete": lambda: cloud.delete(["n"], name, up_to=0),
        "Search": lambda: cloud.search(name, vectors=vectors([1.0] * 16)),
        "Fetch": lambda: cloud.fetch(["n"], name),
        "ListItems": lambda: cloud.listed(name),
        "PushModel": lambda: cloud.push(b"x", name or "-"),
    }


CALLS = (
    "GetCollection",
    "DeleteCollection",
    "Index",
    "Delete",
    "Search",
    "Fetch",
    "ListItems",
    "PushModel",
)


@pytest.mark.parametrize("call", CALLS)
def test_a_collection_that_is_not_there(filled, refused, vectors, call):
    metadata = refused(
        calls(filled, vectors, "nowhere")[call],
        code=grpc.StatusCode.NOT_FOUND,
        reason="NOT_FOUND",
    )
    assert metadata == {"resource": "collection", "name": "nowhere"}


@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_cannot_be(filled, refused, vectors, call):
    assert refused(calls(filled, vectors, "")[call])["field"].endswith(("name", "collection"))
    refused(calls(filled, vectors, "x" * 100_000)[call], reason="LIMIT_EXCEEDED")


@pytest.mark.parametrize(
    ("ids", "field", "reason"),
    [
        ([], "items", "INVALID_FIELD"),
        ([f"i{n}" for n in range(9)], "items", "LIMIT_EXCEEDED"),
        (["b", ""], "items[1].item_id", "INVALID_FIELD"),
        (["b", "x" * 33], "items[1].item_id", "LIMIT_EXCEEDED"),
        (["ä" * 17], "items[0].item_id", "LIMIT_EXCEEDED"),
        (["b", "tab\t"], "items[1].item_id", "INVALID_FIELD"),
        (["nul\0"], "items[0].item_id", "INVALID_FIELD"),
        (["b", "c", "b"], "items[2].item_id", "INVALID_FIELD"),
    ],
)
def test_batches_whose_ids_cannot_be(filled, refused, vectors, gaussian, ids, field, reason):
    found = refused(filled.index, ids, vectors=vectors(gaussian(max(1, len(ids)))), reason=reason)
    assert found["field"] == field


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"revision": 2**53}, "items[0].revision", "INVALID_FIELD"),
        ({"revision": TEN_YEARS_ON_US}, "items[0].revision", "INVALID_FIELD"),
        ({"owner_tag": b"x" * 9}, "items[0].owner_tag", "LIMIT_EXCEEDED"),
        ({"sealed_original": b"x" * 1001}, "items[0].sealed_original", "LIMIT_EXCEEDED"),
    ],
)
def test_items_that_cannot_be(filled, refused, vectors, gaussian, fields, field, reason):
    request = pb.IndexRequest(
        collection="v",
        items=[pb.IndexItem(item_id="n", **fields)],
        vectors=vectors(gaussian(1)),
    )
    assert refused(filled.stub.Index, request, timeout=20, reason=reason)["field"] == field


def packed(rows, dimension=16):
    data = np.asarray(rows, "<f4").tobytes()
    return {"vectors": representation_pb2.Vectors(dimension=dimension, data=data)}


ROW = [1.0] * 16
BAD_VECTORS = [
    ({}, "{content}"),
    (packed([ROW], dimension=0), "vectors.dimension"),
    (packed([ROW], dimension=8), "{short}"),
    (packed([], dimension=16), "vectors.data"),
    (packed(ROW[:15]), "vectors.data"),
    (packed([[*ROW[:15], float("nan")]]), "vectors.data[0]"),
    (packed([[*ROW[:15], float("inf")]]), "vectors.data[0]"),
    (packed([[*ROW[:15], -float("inf")]]), "vectors.data[0]"),
    (packed([[0.0] * 16]), "vectors.data[0]"),
    (packed([[-0.0] * 16]), "vectors.data[0]"),
    ({"codes": representation_pb2.Codes(bits=12, data=b"\1\2")}, "codes"),
]


@pytest.mark.parametrize(("content", "field"), BAD_VECTORS)
def test_vectors_that_cannot_be_written(filled, refused, content, field):
    # Half a row announced as a whole one makes two rows for one item.
    field = field.format(content="content", short="content")
    assert refused(filled.index, ["n"], **content)["field"] == field


@pytest.mark.parametrize(("content", "field"), BAD_VECTORS)
def test_vectors_that_cannot_be_searched_for(filled, refused, content, field):
    field = field.format(content="queries", short="vectors.dimension")
    assert refused(filled.search, **content)["field"] == field


def test_a_batch_with_one_bad_row_is_refused_whole(filled, refused, gaussian, vectors):
    rows = gaussian(3)
    rows[1, 7] = np.nan
    assert (
        refused(filled.index, ["x", "y", "z"], vectors=vectors(rows))["field"] == "vectors.data[1]"
    )


def test_a_row_too_many_or_too_few(filled, refused, gaussian, vectors):
    for count in (1, 3):
        found = refused(filled.index, ["x", "y"], vectors=vectors(gaussian(count)))
        assert (found["field"], found["value"]) == ("content", str(count))


def test_a_dimension_beyond_the_limit(filled, refused):
    found = refused(filled.search, **packed([[1.0] * 65], 65), reason="LIMIT_EXCEEDED")
    assert found == {"field": "vectors.dimension", "limit": "64", "value": "65"}


@pytest.mark.parametrize(
    ("bits", "data", "field"),
    [
        (13, b"\1\2", "codes.bits"),
        (0, b"", "codes.bits"),
        (24, b"\1\2\3", "codes.bits"),
        (12, b"", "codes.data"),
        (12, b"\1\2\3", "codes.data"),
        (12, b"\1\x10", "codes.data"),
    ],
)
def test_codes_that_cannot_be(filled, refused, bits, data, field):
    content = representation_pb2.Codes(bits=bits, data=data)
    assert refused(filled.index, ["n"], "c", codes=content)["field"] == field
    assert refused(filled.search, "c", codes=content)["field"] == field


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"k": 0}, "k", "INVALID_FIELD"),
        ({"k": 21}, "k", "LIMIT_EXCEEDED"),
        ({"model_digest": b"short"}, "model_digest", "INVALID_FIELD"),
        ({"parameters": pb.SearchParameters(nprobe=0)}, "parameters.nprobe", "INVALID_FIELD"),
    ],
)
def test_searches_that_cannot_be(filled, refused, vectors, gaussian, fields, field, reason):
    found = refused(filled.search, vectors=vectors(gaussian(1)), **fields, reason=reason)
    assert found["field"] == field


def test_too_many_queries(filled, refused, vectors, gaussian):
    found = refused(filled.search, vectors=vectors(gaussian(5)), reason="LIMIT_EXCEEDED")
    assert found == {"field": "queries", "limit": "4", "value": "5"}


def test_more_hits_than_are_worth_beginning(make_cloud, vectors, gaussian, failure, monkeypatch):
    """The product of queries and k is refused before anything is ranked."""
    cloud = make_cloud("many", limits=Limits(max_k=20, max_hits=60))
    cloud.create()
    cloud.index([f"i{n}" for n in range(30)], vectors=vectors(gaussian(30)))
    assert len(cloud.ids_found(vectors=vectors(gaussian(3)), k=20)) == 3
    monkeypatch.setattr(Searches, "search", None)
    monkeypatch.setattr(Searches, "search_quick", None)
    code, text, details = failure(cloud.search, vectors=vectors(gaussian(4)), k=20)
    assert (code, details["ErrorInfo"].reason) == (INVALID, "LIMIT_EXCEEDED")
    assert text == "queries x k: too large in hits (limit 60), got 80"


@pytest.mark.parametrize("ids", [[], ["a", "a"], [""], ["x" * 33], [f"i{n}" for n in range(9)]])
def test_ids_that_cannot_be_deleted_or_fetched(filled, refused, ids):
    reason = "LIMIT_EXCEEDED" if len(ids) == 9 or len("".join(ids)) > 32 else "INVALID_FIELD"
    for call in (filled.delete, filled.fetch):
        assert refused(call, ids, reason=reason)["field"].startswith("item_ids")


@pytest.mark.parametrize("token", ["!!!", "YQ", "YQ==x", "/w==", "_w==", "AA==", "ä", "YWFh" * 99])
def test_a_page_token_that_the_server_did_not_give(filled, refused, token):
    request = pb.ListItemsRequest(collection="v", page_token=token)
    assert refused(filled.stub.ListItems, request, timeout=20)["field"] == "page_token"


def test_a_page_beyond_the_limit(filled, refused):
    request = pb.ListItemsRequest(collection="v", page_size=6)
    found = refused(filled.stub.ListItems, request, timeout=20, reason="LIMIT_EXCEEDED")
    assert found == {"field": "page_size", "limit": "5", "value": "6"}


def test_hits_that_would_not_fit_into_a_message(make_cloud, vectors, gaussian, failure):
    limits = Limits(max_message_bytes=60_000, max_sealed_bytes=100)
    cloud = make_cloud("narrow", limits=limits)
    cloud.create()
    cloud.index([f"{n:0500d}" for n in range(60)], vectors=vectors(gaussian(60)))
    code, _, details = failure(cloud.search, vectors=vectors(gaussian(9)), k=60)
    assert code is INVALID
    assert details["ErrorInfo"].metadata["field"] == "k"
    assert len(cloud.ids_found(vectors=vectors(gaussian(1)), k=60)[0]) == 60
