import uuid
from pathlib import Path

import pytest

from cipherlens.client.manifests import ManifestFolder
from cipherlens.crypto import (
    CipherParameters,
    KeyEntry,
    ListedItem,
    Manifest,
    ManifestError,
    StaleItem,
)

HERE, THERE = uuid.UUID(int=1), uuid.UUID(int=2)
A, B = ListedItem(1, bytes(32), False), ListedItem(2, b"b" * 32, True)


@pytest.fixture
def folder(tmp_path: Path) -> ManifestFolder:
    return ManifestFolder.beside(tmp_path / "my.keys")


def test_a_manifest_follows_the_one_before(folder: ManifestFolder, key: KeyEntry) -> None:
    assert folder.load(HERE, key.verify_key) is None
    first = folder.record(key, HERE, {"a": A, "b": A})
    assert (first.counter, folder.load(HERE, key.verify_key)) == (1, first)
    second = folder.record(key, HERE, {"b": B}, removed=["a", "nobody"])
    assert (second.counter, dict(second.items)) == (2, {"b": B})
    assert folder.load(THERE, key.verify_key) is None
    assert folder.folder.name == "my.keys.manifests"
    assert folder.folder.stat().st_mode & 0o077 == 0


def test_what_others_put_there_is_refused(folder: ManifestFolder, key: KeyEntry) -> None:
    folder.record(key, HERE, {"a": A})
    folder.record(key, THERE, {"a": A})
    folder.path(HERE).write_bytes(folder.signed(THERE))
    with pytest.raises(ManifestError, match=f"{HERE}.manifest: the manifest is of collection"):
        folder.load(HERE, key.verify_key)
    stranger = KeyEntry.generate("stranger", CipherParameters())
    with pytest.raises(ManifestError, match="does not carry the owner's signature"):
        folder.load(THERE, stranger.verify_key)


def test_of_two_copies_the_newer_is_kept(folder: ManifestFolder, key: KeyEntry) -> None:
    old = Manifest(collection_uuid=HERE, counter=4, items={"a": A}).sign(key)
    new = Manifest(collection_uuid=HERE, counter=5, items={"b": B}).sign(key)
    assert folder.keep(HERE, old, key.verify_key).counter == 4
    assert folder.keep(HERE, new, key.verify_key).counter == 5
    with pytest.raises(StaleItem, match="counter 4, 5 was seen before"):
        folder.keep(HERE, old, key.verify_key)
    with pytest.raises(ManifestError, match="is of collection"):
        folder.keep(THERE, new, key.verify_key)
    assert folder.signed(HERE) == new
