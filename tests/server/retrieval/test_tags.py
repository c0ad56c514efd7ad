"""Filters by tags through the protocol: checked, told apart, and kept."""

import re

import grpc
import pytest

from cipherlens.v1 import retrieval_service_pb2 as pb

RED, OLD = b"r" * 16, b"o" * 16
OTHER = "00000000-0000-4000-8000-000000000000"


def item(item_id, *tokens, sealed=b"", revision=1):
    return pb.IndexItem(item_id=item_id, revision=revision, tag_tokens=tokens, sealed_tags=sealed)


@pytest.fixture
def tagged(cloud, codes):
    """Return a server with a collection "c": a and b are red, b and d old, e neither."""
    cloud.uuid = cloud.create_codes().uuid
    items = [item("a", RED, sealed=b"s"), item("b", RED, OLD), item("d", OLD), item("e")]
    cloud.stub.Index(
        pb.IndexRequest(collection="c", items=items, codes=codes([[n, 0] for n in range(4)]))
    )
    cloud.rows = codes([[0, 0]])
    return cloud


def found(cloud, **filters):
    (ids,) = cloud.ids_found("c", codes=cloud.rows, filter=pb.TagFilter(**filters))
    request = pb.CountRequest(collection="c", filter=pb.TagFilter(**filters))
    assert cloud.stub.Count(request).item_count == len(ids)
    return ids


def test_searches_that_differ_in_their_filter_alone_are_told_apart(tagged):
    for _ in range(3):  # the second time the questions are known
        assert found(tagged, any_of=[RED]) == ["a", "b"]
        assert found(tagged, any_of=[OLD]) == ["b", "d"]
        assert found(tagged, all_of=[OLD]) == ["b", "d"]
        assert found(tagged, all_of=[OLD, RED]) == ["b"]
        assert found(tagged, none_of=[RED]) == ["d", "e"]
        assert found(tagged, any_of=[RED, OLD], none_of=[OLD]) == ["a"]
        assert found(tagged) == ["a", "b", "d", "e"]


def test_searches_that_are_answered_together_keep_their_own(tagged):
    """They come at once: whoever joins them must not give one the hits of another's filter."""
    filters = {"any_of": [RED]}, {"any_of": [OLD]}, {"none_of": [RED]}, {}
    expected = [["a", "b"], ["b", "d"], ["d", "e"], ["a", "b", "d", "e"]]
    requests = [
        pb.SearchRequest(collection="c", k=9, codes=tagged.rows, filter=pb.TagFilter(**each))
        for each in filters
    ] * 20
    if not hasattr(tagged.stub.Search, "future"):
        pytest.skip("calls in memory come one after the other")
    for _ in range(2):
        under_way = [tagged.stub.Search.future(each) for each in requests]
        answers = [list(each.result().results[0].item_ids) for each in under_way]
        assert answers == expected * 20


def test_the_owner_gets_his_sealed_tags_back_and_nobody_the_tokens(tagged):
    listed = tagged.stub.ListItems(pb.ListItemsRequest(collection="c")).items
    assert [each.sealed_tags for each in listed] == [b"s", b"", b"", b""]
    request = pb.FetchRequest(collection="c", item_ids=["a"], view=pb.ITEM_VIEW_HEAD)
    (fetched,) = tagged.stub.Fetch(request)
    assert fetched.item.sealed_tags == b"s"
    assert RED not in fetched.SerializeToString()


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"tag_tokens": [b"x" * 15]}, r"items\[0\].tag_tokens\[0\]: must have 16 bytes, got 15"),
        ({"tag_tokens": [RED, RED]}, r"items\[0\].tag_tokens: must have each token once"),
        (
            {"tag_tokens": [bytes([n]) * 16 for n in range(65)]},
            r"items\[0\].tag_tokens: too large in number \(limit 64\), got 65",
        ),
        ({"sealed_tags": bytes(12289)}, r"items\[0\].sealed_tags: too large in bytes"),
    ],
)
def test_tags_that_cannot_be(tagged, codes, failure, changed, problem):
    made = item("x")
    made.MergeFrom(pb.IndexItem(**changed))
    request = pb.IndexRequest(collection="c", items=[made], codes=codes([[1, 0]]))
    code, text, _ = failure(tagged.stub.Index, request)
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert re.search(problem, text)


@pytest.mark.parametrize("name", ["any_of", "all_of", "none_of"])
@pytest.mark.parametrize("tokens", [[b""], [RED, RED], [bytes([n]) * 16 for n in range(65)]])
def test_filters_that_cannot_be(tagged, failure, name, tokens):
    filtered = pb.TagFilter(**{name: tokens})
    for call in (
        lambda: tagged.search("c", codes=tagged.rows, filter=filtered),
        lambda: tagged.stub.Count(pb.CountRequest(collection="c", filter=filtered)),
    ):
        code, text, _ = failure(call)
        assert (code, f"filter.{name}" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def test_what_was_made_for_another_collection_of_the_name_is_refused(tagged, codes, failure):
    for call in (
        lambda: tagged.search("c", codes=tagged.rows, collection_uuid=OTHER),
        lambda: tagged.search("c", codes=tagged.rows, collection_uuid=OTHER, min_sequence=1),
        lambda: tagged.index(["x"], "c", codes=codes([[1, 0]]), collection_uuid=OTHER),
        lambda: tagged.stub.Count(pb.CountRequest(collection="c", collection_uuid=OTHER)),
    ):
        code, text, details = failure(call)
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert f"is {tagged.uuid}, not {OTHER}" in text
        assert details["ErrorInfo"].reason == "COLLECTION_REPLACED"
    assert tagged.search("c", codes=tagged.rows, collection_uuid=tagged.uuid).results


def test_a_count_waits_for_a_change(tagged, failure):
    request = pb.CountRequest(collection="c", min_sequence=4)
    counted = tagged.stub.Count(request)
    assert (counted.item_count, counted.sequence) == (4, 4)
    request.min_sequence = 1 << 40
    _, _, details = failure(tagged.stub.Count, request)
    assert details["ErrorInfo"].reason == "SEQUENCE_OUT_OF_REACH"


def test_a_collection_that_waits_for_a_model_has_nothing_to_count(cloud, cipher_profile):
    kind = 1  # cipher-images
    cloud.create("e", kind=kind, profile=cipher_profile())
    assert cloud.stub.Count(pb.CountRequest(collection="e")).item_count == 0
