import uuid

import numpy as np
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from cipherlens.client.core import answers
from cipherlens.client.errors import UnreadableAnswer
from cipherlens.crypto import ImageCipher, KeyEntry
from cipherlens.v1 import collection_pb2, item_pb2
from cipherlens.v1.encryption_service_pb2 import DecryptedImage
from cipherlens.v1.retrieval_service_pb2 import (
    ITEM_STATE_MISSING,
    ITEM_STATE_PRESENT,
    FetchResponse,
    Hits,
    SearchResponse,
)
from cipherlens.wire import profile_message
from cipherlens.wire.owner import encrypted_message


def test_a_profile_that_cannot_be_true_is_unreadable(key: KeyEntry) -> None:
    message = profile_message(key.profile)
    message.block_size = 7
    with pytest.raises(UnreadableAnswer, match="a profile that is not known: block_size must"):
        answers.profile_of(message)


def test_a_cipher_image_of_a_scheme_that_is_not_known_is_unreadable(key: KeyEntry) -> None:
    message = encrypted_message(ImageCipher(key).encrypt_image(np.zeros((32, 48, 3), np.uint8)))
    message.profile.scheme_version = 9
    with pytest.raises(UnreadableAnswer, match="scheme_version must be 1, got 9"):
        answers.cipher_image_from(message)


def test_truncated_pixels_are_found(key: KeyEntry) -> None:
    image = ImageCipher(key).encrypt_image(np.zeros((32, 48, 3), np.uint8))
    message = encrypted_message(image)
    message.pixels = message.pixels[:-1]
    with pytest.raises(UnreadableAnswer, match="broken cipher-image"):
        answers.cipher_image_from(message)


def test_a_time_that_no_calendar_has_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="a time that no calendar has"):
        answers.time_of(Timestamp(seconds=2**60))


def test_an_original_without_a_media_type_is_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="an original of no type: media_type must be"):
        answers.original_from(DecryptedImage(data=b"plain"))


def test_a_collection_without_generations() -> None:
    message = collection_pb2.Collection(
        uuid=str(uuid.UUID(int=7)), name="c", kind=collection_pb2.COLLECTION_KIND_CODE, bits=48
    )
    found = answers.collection_from(message)
    assert (found.active, found.shadow, found.profile) == (None, None, None)
    assert (found.kind, found.bits, found.uuid.int) == ("code", 48, 7)


def test_a_stored_code_keeps_its_bytes() -> None:
    message = item_pb2.StoredItem(item_id="i", revision=3, code=b"\x01\x02", sealed_original=b"s")
    item = answers.item_from(message, uuid.UUID(int=1))
    assert item.code is not None
    assert item.code.tobytes() == b"\x01\x02"
    assert (item.cipher_image, item.vector, item.sealed_original) == (None, None, b"s")


def test_a_collection_that_is_not_known_is_unreadable() -> None:
    for message in (
        collection_pb2.Collection(uuid="x", kind=collection_pb2.COLLECTION_KIND_CODE),
        collection_pb2.Collection(uuid=str(uuid.UUID(int=1)), kind=9),
    ):
        with pytest.raises(UnreadableAnswer):
            answers.collection_from(message)


def test_broken_vectors_and_hits_are_unreadable() -> None:
    with pytest.raises(UnreadableAnswer, match="a vector of 3 bytes"):
        answers.item_from(item_pb2.StoredItem(item_id="a", vector=b"abc"), uuid.UUID(int=1))
    for changes in ({"revisions": []}, {"similarities": [0.5]}, {"distances": [1, 2, 3]}):
        hits = {"item_ids": ["a", "b"], "revisions": [1, 2], **changes}
        response = SearchResponse(results=[Hits(**hits)])
        with pytest.raises(UnreadableAnswer, match="differ"):
            answers.hits_from(response, queries=1, k=9)


@pytest.mark.parametrize("queries", [0, 1, 3])
def test_answers_to_another_number_of_queries_are_unreadable(queries: int) -> None:
    response = SearchResponse(results=[Hits(), Hits()])
    assert len(answers.hits_from(response, queries=2, k=9)) == 2
    with pytest.raises(UnreadableAnswer, match=f"2 queries where {queries} were asked"):
        answers.hits_from(response, queries=queries, k=9)


def test_more_hits_than_were_asked_for_are_unreadable() -> None:
    hits = Hits(item_ids=["a", "b"], revisions=[1, 2], distances=[0, 1])
    response = SearchResponse(results=[hits])
    assert len(answers.hits_from(response, queries=1, k=2)[0]) == 2
    with pytest.raises(UnreadableAnswer, match="more than the 1 hits"):
        answers.hits_from(response, queries=1, k=1)


@pytest.mark.parametrize(
    "answer",
    [
        FetchResponse(item_id="b", state=ITEM_STATE_MISSING),
        FetchResponse(item_id="a", state=ITEM_STATE_PRESENT),
        FetchResponse(item_id="a", state=7),
        FetchResponse(item_id="a", state=ITEM_STATE_PRESENT, item=item_pb2.StoredItem(item_id="b")),
        FetchResponse(item_id="a", state=ITEM_STATE_MISSING, item=item_pb2.StoredItem(item_id="a")),
    ],
)
def test_an_answer_about_another_item_is_unreadable(answer: FetchResponse) -> None:
    with pytest.raises(UnreadableAnswer):
        answers.fetched_from(answer, "a", uuid.UUID(int=1))
