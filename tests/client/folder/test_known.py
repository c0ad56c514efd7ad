import uuid
from pathlib import Path

import pytest

from cipherlens.client import ItemSummary, Naming
from cipherlens.client.folder.known import Known
from cipherlens.client.folder.walk import Walk
from cipherlens.crypto import KeyEntry, ListedItem, ListedTags, Manifest, StaleItem

WHERE = uuid.UUID(int=1)


def stored(
    revision: int = 5, sealed: int = 1, item_id: str = "a", tags: bytes = b"tags"
) -> dict[str, ItemSummary]:
    item = ItemSummary(
        item_id=item_id,
        revision=revision,
        sequence=1,
        owner_tag=b"tag",
        sealed_size_bytes=sealed,
        sealed_tags=tags,
    )
    return {item_id: item}


def listing(**items: ListedItem) -> Manifest:
    return Manifest(collection_uuid=WHERE, counter=3, items=items)


SIGNED = ListedItem(5, bytes(32), True, ListedTags.of([bytes(16)], b"tags"))
UNKNOWN = SIGNED._replace(tags=None)
UNTAGGED = SIGNED._replace(tags=ListedTags())


def test_without_a_manifest_the_tag_decides() -> None:
    known = Known(stored(), None)
    assert known.is_unchanged("a", b"tag")
    assert not known.is_unchanged("a", b"another")
    assert not known.is_unchanged("b", b"tag")


def test_with_one_the_server_must_hold_what_was_signed() -> None:
    assert Known(stored(), listing(a=SIGNED)).is_unchanged("a", b"tag")
    assert Known(stored(tags=b"others"), listing(a=UNKNOWN)).is_unchanged("a", b"tag")
    for server, manifest in (
        (stored(revision=4), listing(a=SIGNED)),
        (stored(revision=6), listing(a=SIGNED)),
        (stored(sealed=0), listing(a=SIGNED)),
        (stored(tags=b""), listing(a=SIGNED)),
        (stored(tags=b"others"), listing(a=SIGNED)),
        (stored(), listing(a=UNTAGGED)),
        (stored(), listing()),
    ):
        assert not Known(server, manifest).is_unchanged("a", b"tag")


@pytest.mark.parametrize(
    ("server", "manifest", "expected"),
    [
        (stored(), None, b"tags"),
        ({}, None, None),
        (stored(), listing(), b"tags"),
        (stored(), listing(a=SIGNED), b"tags"),
        (stored(tags=b"others"), listing(a=UNKNOWN), b"others"),
        (stored(revision=6, tags=b"later"), listing(a=SIGNED), b"later"),
        (stored(revision=6, tags=b"later"), listing(a=UNTAGGED), b"later"),
        (stored(tags=b"put there"), listing(a=UNTAGGED), None),
        (stored(revision=4, tags=b"earlier"), listing(a=UNTAGGED), None),
        ({}, listing(a=UNTAGGED), None),
    ],
)
def test_an_item_keeps_the_tags_that_its_owner_gave_it(server, manifest, expected) -> None:
    tagged = Known(server, manifest).tagged("a")
    assert (None if tagged is None else tagged.sealed_tags) == expected


@pytest.mark.parametrize(
    "server",
    [{}, stored(tags=b""), stored(tags=b"others"), stored(revision=4)],
    ids=["missing", "left out", "others", "older"],
)
def test_tags_that_are_listed_and_not_there_are_told(server) -> None:
    with pytest.raises(StaleItem, match="are not on the server: give it tags anew"):
        Known(server, listing(a=SIGNED)).tagged("a")


def test_a_revision_follows_all_that_were_known() -> None:
    assert Known({}, None).following_revision("a", 100) == 100
    assert Known(stored(revision=200), None).following_revision("a", 100) == 201
    signed = listing(a=SIGNED._replace(revision=300))
    assert Known(stored(revision=200), signed).following_revision("a", 100) == 301
    assert Known(stored(revision=200), signed).following_revision("a", 400) == 400


def test_what_is_listed_and_neither_stored_nor_in_the_folder_is_lost(
    key: KeyEntry, tmp_path: Path
) -> None:
    (tmp_path / "here.png").write_bytes(b"x")
    naming = Naming(key, WHERE, readable_ids=True)
    manifest = Manifest(
        collection_uuid=WHERE, counter=1, items=dict.fromkeys(["a", "here.png", "gone"], SIGNED)
    )
    assert Known(stored(), manifest).lost(Walk(tmp_path, 99), naming) == ["gone"]
    assert Known(stored(), None).lost(Walk(tmp_path, 99), naming) == []
