import uuid

import numpy as np
import pytest

from cipherlens.client import Hits, Item
from cipherlens.crypto import companion_digest

HITS = Hits(item_ids=("a", "b", "c"), revisions=(1, 2, 3), similarities=(0.9, 0.5, 0.1), sequence=4)


def test_hits_are_a_sequence() -> None:
    assert len(HITS) == 3
    assert [(hit.rank, hit.item_id, hit.similarity) for hit in HITS] == [
        (1, "a", 0.9),
        (2, "b", 0.5),
        (3, "c", 0.1),
    ]
    assert HITS[-1] == HITS[2]
    assert [hit.item_id for hit in HITS[1:]] == ["b", "c"]
    assert HITS[0].distance is None
    with pytest.raises(IndexError):
        HITS[3]


def test_hits_of_codes_have_distances() -> None:
    (hit,) = Hits(item_ids=("a",), revisions=(1,), distances=(0,))
    assert (hit.distance, hit.similarity) == (0, None)


def test_the_companion_of_a_code_is_its_bytes_and_of_a_vector_nothing() -> None:
    place = {
        "collection_uuid": uuid.UUID(int=0),
        "item_id": "i",
        "revision": 1,
        "sequence": 1,
        "owner_tag": b"",
    }
    code = Item(**place, code=np.array([1, 2], np.uint8))
    vector = Item(**place, vector=np.array([1, 0], np.float32))
    assert code.companion_digest() == companion_digest(b"\x01\x02")
    assert vector.companion_digest() == companion_digest(b"")
