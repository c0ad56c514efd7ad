"""One collection takes the name and the place of another, in one step."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from cipherlens.server.embedding import models
from cipherlens.v1 import collection_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb


def replaced(cloud, name="v", replacement="w", sequence=None):
    sequence = cloud.collection(name).sequence if sequence is None else sequence
    request = pb.ReplaceCollectionRequest(name=name, replacement=replacement, sequence=sequence)
    return cloud.stub.ReplaceCollection(request, timeout=20).collection


@pytest.fixture
def two(cloud, vectors, gaussian):
    """Return a server with "v", which holds old0 to old2, and "w", which holds new0 to new4."""
    cloud.create()
    cloud.create("w")
    cloud.index([f"old{n}" for n in range(3)], vectors=vectors(gaussian(3)))
    cloud.index([f"new{n}" for n in range(5)], "w", vectors=vectors(gaussian(5)))
    return cloud


def test_the_other_has_name_and_place_then(two, vectors, gaussian, failure):
    old, new = two.collection(), two.collection("w")
    answer = replaced(two)
    assert (answer.name, answer.uuid, answer.item_count) == ("v", new.uuid, 5)
    for _ in range(2):
        (found,) = two.ids_found(vectors=vectors(gaussian(1)))
        assert sorted(found) == [f"new{n}" for n in range(5)]
        assert two.collection().uuid == new.uuid != old.uuid
        assert two.listed() == [f"new{n}" for n in range(5)]
        assert failure(two.collection, "w")[0] is grpc.StatusCode.NOT_FOUND
        two.restart()  # and so it is on disk
    two.index(["more"], vectors=vectors(gaussian(1)))
    assert two.collection().item_count == 6
    two.create("w")
    assert two.collection("w").item_count == 0


def test_a_collection_that_has_changed_is_not_replaced(two, vectors, gaussian, failure):
    known = two.collection().sequence
    two.index(["late"], vectors=vectors(gaussian(1)))
    code, text, details = failure(replaced, two, sequence=known)
    assert code is grpc.StatusCode.FAILED_PRECONDITION
    assert "has changed: it is at 4, not at 3" in text
    assert details["ErrorInfo"].reason == "COLLECTION_CHANGED"
    assert (two.collection().item_count, two.collection("w").item_count) == (4, 5)
    assert replaced(two).item_count == 5


def test_what_cannot_take_the_place(two, cipher_profile, checkpoint, failure):
    two.create_codes()
    two.create_ciphers(cipher_profile())
    two.push(checkpoint(), "e")
    two.create_ciphers(cipher_profile(), "bare")
    two.create_codes("longer", 24)
    for name, other, sentence in (
        ("v", "v", "must be another collection"),
        ("v", "c", "must be of the kind vector"),
        ("c", "longer", "must have the length 12"),
        ("e", "bare", "has no model yet"),
    ):
        code, text, _ = failure(replaced, two, name, other)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert sentence in text
    for name, other in (("v", "nowhere"), ("nowhere", "v")):
        assert failure(replaced, two, name, other, 0)[0] is grpc.StatusCode.NOT_FOUND


def test_searches_meanwhile_see_the_one_or_the_other(two, vectors, gaussian):
    query, whole = vectors(gaussian(1)), ({f"old{n}" for n in range(3)}, set())
    whole = (whole[0], {f"new{n}" for n in range(5)})
    with ThreadPoolExecutor(4) as pool:
        searching = [
            pool.submit(lambda: [two.ids_found(vectors=query)[0] for _ in range(40)])
            for _ in range(3)
        ]
        pool.submit(replaced, two).result()
        found = [set(each) for one in searching for each in one.result()]
    assert all(each in whole for each in found)
    assert set(two.ids_found(vectors=query)[0]) == whole[1]


def test_two_that_would_replace_each_other_do_not_wait_for_ever(two, failure):
    sequences = two.collection().sequence, two.collection("w").sequence
    with ThreadPoolExecutor(2) as pool:
        both = [
            pool.submit(failure_or_none, replaced, two, "v", "w", sequences[0]),
            pool.submit(failure_or_none, replaced, two, "w", "v", sequences[1]),
        ]
        outcomes = [each.result() for each in both]
    assert sorted(each is None for each in outcomes) == [False, True]
    assert len(two.stub.ListCollections(pb.ListCollectionsRequest(), timeout=20).collections) == 1


def failure_or_none(call, *arguments):
    try:
        call(*arguments)
    except grpc.RpcError as error:
        return error
    return None


def test_a_collection_is_made_with_a_model_that_is_here(
    cloud, cipher_profile, checkpoint, cipher_images, failure
):
    data = checkpoint()
    cloud.push(data)
    digest = hashlib.sha256(data).digest()
    kind = cloud.create_ciphers(cipher_profile(), "plain").kind
    made = cloud.create("e", kind=kind, profile=cipher_profile(), encoder_digest=digest)
    assert made.active_generation.model_digest == digest
    cloud.index(["a"], "e", cipher_images=cipher_images(1))
    assert np.isclose(
        cloud.search("e", cipher_images=cipher_images(1)).results[0].similarities[0], 1, atol=1e-3
    )
    for wrong, code in (
        ({"encoder_digest": bytes(32)}, grpc.StatusCode.NOT_FOUND),
        (
            {"encoder_digest": digest, "profile": cipher_profile(key_fingerprint=b"\7" * 16)},
            grpc.StatusCode.FAILED_PRECONDITION,
        ),
    ):
        fields = {"kind": kind, "profile": cipher_profile(), **wrong}
        assert failure(cloud.create, "other", **fields)[0] is code
        assert failure(cloud.collection, "other")[0] is grpc.StatusCode.NOT_FOUND


def test_a_collection_is_never_there_without_the_model_that_it_is_made_with(
    cloud, cipher_profile, checkpoint, failure, monkeypatch
):
    trying, go_on = threading.Event(), threading.Event()
    tried = models.tried_embedder

    def slow(source, device):
        trying.set()
        assert go_on.wait(20)
        return tried(source, device)

    data = checkpoint()
    cloud.push(data)
    monkeypatch.setattr(models, "tried_embedder", slow)
    with ThreadPoolExecutor(1) as pool:
        fields = {
            "kind": collection_pb2.COLLECTION_KIND_CIPHER,
            "profile": cipher_profile(),
            "encoder_digest": hashlib.sha256(data).digest(),
        }
        made = pool.submit(cloud.create, "e", **fields)
        assert trying.wait(20)
        assert failure(cloud.collection, "e")[0] is grpc.StatusCode.NOT_FOUND
        go_on.set()
        assert made.result().active_generation.model_digest == fields["encoder_digest"]
