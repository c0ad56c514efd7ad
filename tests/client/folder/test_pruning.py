import uuid
from pathlib import Path

import pytest

from cipherlens.client import ItemSummary, Naming, Vanished
from cipherlens.client.folder.pruning import at_most_half, check_one_kind_of_ids, vanished
from cipherlens.client.folder.walk import Walk
from cipherlens.crypto import KeyEntry

WHERE = uuid.UUID(int=1)


def stored(key: KeyEntry, *names: str, readable: bool = False) -> list[ItemSummary]:
    naming = Naming(key, WHERE, readable_ids=readable)
    return [
        ItemSummary(
            item_id=naming.id_of(name),
            revision=1,
            sequence=1,
            owner_tag=bytes(32) + naming.sealed(name),
            sealed_size_bytes=0,
        )
        for name in names
    ]


@pytest.fixture
def walk(tmp_path: Path) -> Walk:
    (tmp_path / "here.png").write_bytes(b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "moved").symlink_to(tmp_path / "elsewhere")
    return Walk(tmp_path, 99)


def test_what_nothing_accounts_for_has_vanished(key: KeyEntry, walk: Walk) -> None:
    items = stored(key, "here.png", "moved/a.png", "gone.png")
    naming = Naming(key, WHERE)
    assert vanished(walk, items, naming) == {naming.id_of("gone.png"): "gone.png"}


def test_what_is_stored_anew_under_the_other_kind_of_id_goes(key: KeyEntry, walk: Walk) -> None:
    readable = stored(key, "here.png", "moved/a.png", readable=True)
    keyed = Naming(key, WHERE)
    # What may be behind the link is not stored anew, and stays.
    assert vanished(walk, readable, keyed) == {"here.png": "here.png"}
    with pytest.raises(ValueError, match="stored already as item 'here"):
        check_one_kind_of_ids(walk, readable, keyed)
    check_one_kind_of_ids(walk, stored(key, "here.png", "gone.png"), keyed)
    (gone,) = vanished(walk, stored(key, "here.png"), Naming(key, WHERE, readable_ids=True))
    assert gone == keyed.id_of("here.png")


def test_half_of_a_collection_and_no_more() -> None:
    assert at_most_half(Vanished(names=("a",), stored_count=2))
    with pytest.raises(ValueError, match="2 of 3 items"):
        at_most_half(Vanished(names=("a", "b"), stored_count=3))
