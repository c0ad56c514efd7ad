"""Names of masks: the server keeps them, and takes rows under the collection's own alone."""

import grpc
import pytest

from cipherlens.v1 import collection_pb2

CODE = collection_pb2.COLLECTION_KIND_CODE


@pytest.fixture
def masked(cloud, codes):
    """Return a server with a masked collection "c" and its mask's name in requests."""
    made = cloud.create("c", kind=CODE, bits=12, mask_id="mask-1-ab")
    cloud.mask = f"mask-1-ab:{made.uuid}"
    cloud.index(["a", "b"], "c", codes=codes([[1, 0], [2, 0]]), mask_id=cloud.mask)
    return cloud


def test_the_name_is_stated_and_kept(masked):
    for _ in range(2):
        assert masked.collection("c").active_generation.mask_id == "mask-1-ab"
        masked.restart()
    assert masked.create("plain", kind=CODE, bits=12).active_generation.mask_id == ""


@pytest.mark.parametrize("sent", ["", "mask-1-ab", "mask-1-ab:other", "mask-2-ab"])
def test_rows_under_another_mask_are_refused(masked, codes, failure, sent):
    for call in (
        lambda: masked.search("c", codes=codes([[1, 0]]), mask_id=sent),
        lambda: masked.search("c", codes=codes([[1, 0]]), mask_id=sent, min_sequence=1),
        lambda: masked.index(["x"], "c", codes=codes([[1, 0]]), mask_id=sent),
    ):
        code, text, details = failure(call)
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert f"is under {masked.mask}, what was sent is under {sent or 'no mask'}" in text
        assert details["ErrorInfo"].reason == "MASK_REFUSED"
    assert masked.collection("c").item_count == 2


def test_rows_under_its_mask_are_found_again_and_again(masked, codes):
    for _ in range(3):  # the second time the question is known
        (found,) = masked.ids_found("c", codes=codes([[2, 0]]), mask_id=masked.mask)
        assert found == ["b", "a"]


def test_a_collection_without_a_mask_takes_none(cloud, codes, vectors, gaussian, failure):
    cloud.create()
    cloud.create_codes()
    for call in (
        lambda: cloud.search(vectors=vectors(gaussian(1)), mask_id="mask-1-ab"),
        lambda: cloud.index(["x"], "c", codes=codes([[1, 0]]), mask_id="mask-1-ab"),
    ):
        assert "is under no mask" in failure(call)[1]


@pytest.mark.parametrize("mask_id", ["x" * 65, "tab\t", "ä"])
def test_names_that_cannot_be(cloud, failure, mask_id):
    code, text, _ = failure(cloud.create, "c", kind=CODE, bits=12, mask_id=mask_id)
    assert (code, "mask_id" in text) == (grpc.StatusCode.INVALID_ARGUMENT, True)


def test_cipher_images_have_no_mask(cloud, cipher_profile, failure):
    kind = collection_pb2.COLLECTION_KIND_CIPHER
    code, text, _ = failure(
        cloud.create, "e", kind=kind, profile=cipher_profile(), mask_id="mask-1-ab"
    )
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "mask_id" in text
