"""Requests that RetrievalService answers, of each kind of collection."""

import numpy as np

from cipherlens.v1 import cipher_image_pb2, collection_pb2, representation_pb2
from cipherlens.v1 import retrieval_service_pb2 as pb
from tests.fuzz.doors.served import stream_of

KINDS = {
    "v": {"kind": collection_pb2.COLLECTION_KIND_VECTOR, "dimension": 4},
    "c": {"kind": collection_pb2.COLLECTION_KIND_CODE, "bits": 12},
    "e": {"kind": collection_pb2.COLLECTION_KIND_CIPHER},
}
"""What makes a collection of each kind, by the letter that its name ends in."""

IDS = ("a", "b", "ü", "\u202ed")
"""The ids of the items in each collection."""


def profile_message():
    return cipher_image_pb2.CipherProfile(
        scheme_version=1,
        preparation_version=1,
        height=16,
        width=32,
        block_size=8,
        substituted_blocks=2,
        scope=cipher_image_pb2.KEY_SCOPE_IMAGE,
        key_fingerprint=b"f" * 16,
    )


def rows_of(letter, count):
    rng = np.random.default_rng(5)
    if letter == "v":
        return rng.normal(size=(count, 4)).astype("<f4")
    return rng.integers(0, 256, (count, 2), np.uint8) & np.array([255, 15], np.uint8)


def contents(letter, count):
    """Return the content of an Index of a kind, as many as items."""
    if letter == "v":
        return {
            "vectors": representation_pb2.Vectors(dimension=4, data=rows_of("v", count).tobytes())
        }
    if letter == "c":
        return {"codes": representation_pb2.Codes(bits=12, data=rows_of("c", count).tobytes())}
    rng = np.random.default_rng(6)
    images = [
        cipher_image_pb2.CipherImage(
            profile=profile_message(), height=16, width=32, nonce=bytes(16), pixels=rng.bytes(1536)
        )
        for _ in range(count)
    ]
    return {"cipher_images": cipher_image_pb2.CipherImages(images=images)}


TAG_TOKENS = (b"r" * 16, b"o" * 16)


def index_request(name, letter):
    items = [
        pb.IndexItem(
            item_id=each,
            revision=number + 1,
            sealed_original=b"sealed",
            owner_tag=b"t",
            tag_tokens=TAG_TOKENS[: number % 3],
            sealed_tags=b"tags",
        )
        for number, each in enumerate(IDS)
    ]
    return pb.IndexRequest(collection=name, items=items, **contents(letter, len(items)))


def queries(letter):
    return pb.SearchRequest(**contents(letter, 1))


def pushed(header, checkpoint):
    """Return the stream of a push."""
    parts = [pb.PushModelRequest(header=header)]
    half = len(checkpoint) // 2
    parts += [pb.PushModelRequest(chunk=each) for each in (checkpoint[:half], checkpoint[half:])]
    return stream_of(each.SerializeToString() for each in parts)
