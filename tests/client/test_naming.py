import uuid

import pytest

from cipherlens.client import ItemSummary, Naming
from cipherlens.crypto import KeyEntry, OpenError, is_keyed_id

HERE = uuid.UUID(int=1)


def summary(item_id: str, owner_tag: bytes) -> ItemSummary:
    return ItemSummary(
        item_id=item_id, revision=1, sequence=1, owner_tag=owner_tag, sealed_size_bytes=0
    )


def test_ids_and_names_go_both_ways(key: KeyEntry) -> None:
    naming = Naming(key, HERE)
    item_id = naming.id_of("a.png")
    assert is_keyed_id(item_id)
    assert naming.id_of(item_id) == item_id
    assert naming.ids_of(["a.png", item_id]) == {item_id: item_id}
    assert naming.name_of(summary(item_id, bytes(32) + naming.sealed("a.png"))) == "a.png"


def test_ids_that_are_names_are_read_by_either(key: KeyEntry) -> None:
    readable = Naming(key, HERE, readable_ids=True)
    assert (readable.id_of("a.png"), readable.sealed("a.png")) == ("a.png", b"")
    for naming in (readable, Naming(key, HERE)):
        assert naming.name_of(summary("a.png", bytes(32))) == "a.png"
        assert naming.name_of(summary("a.png", bytes(64))) == "a.png"  # a tag of somebody else
        assert naming.name_of(summary("b" * 32, bytes(32))) == "b" * 32


def test_a_name_that_the_server_put_beside_another_item_does_not_open(key: KeyEntry) -> None:
    naming = Naming(key, HERE)
    with pytest.raises(OpenError):
        naming.name_of(summary(naming.id_of("a.png"), bytes(32) + naming.sealed("b.png")))
