"""The manifest that items are held to, while more is written."""

import uuid

import pytest

from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.web.vouching import Vouching
from cipherlens.crypto import ListedItem

WHERE = uuid.UUID(int=7)
ONE, OTHER = (ListedItem(number, bytes(32), sealed=True) for number in (1, 2))


@pytest.fixture
def folder(tmp_path):
    return ManifestFolder(tmp_path)


def test_without_a_manifest_nothing_is_held_to_one(folder, key):
    vouching = Vouching(folder, key, WHERE)
    vouching.sign()
    assert vouching.manifest is None
    assert vouching.add("a", ONE) == 1
    assert vouching.manifest is None
    vouching.sign()
    assert dict(vouching.manifest.items) == {"a": ONE}


def test_what_was_written_since_counts(folder, key):
    folder.record(key, WHERE, {"a": ONE})
    vouching = Vouching(folder, key, WHERE)
    assert dict(vouching.manifest.items) == {"a": ONE}
    assert vouching.add("a", OTHER) == 1
    assert vouching.add("b", ONE) == 2
    assert dict(vouching.manifest.items) == {"a": OTHER, "b": ONE}
    assert folder.load(WHERE, key.verify_key).counter == 1
    vouching.sign()
    vouching.sign()
    signed = folder.load(WHERE, key.verify_key)
    assert signed.counter == vouching.manifest.counter == 2
    assert dict(signed.items) == dict(vouching.manifest.items) == {"a": OTHER, "b": ONE}


def test_what_is_written_while_one_is_signed_is_kept(folder, key, monkeypatch):
    vouching = Vouching(folder, key, WHERE)
    vouching.add("a", ONE)
    record = folder.record

    def slow(*arguments):
        vouching.add("a", OTHER)
        vouching.add("b", ONE)
        return record(*arguments)

    monkeypatch.setattr(folder, "record", slow)
    vouching.sign()
    monkeypatch.undo()
    assert dict(folder.load(WHERE, key.verify_key).items) == {"a": ONE}
    assert dict(vouching.manifest.items) == {"a": OTHER, "b": ONE}
    vouching.sign()
    assert dict(folder.load(WHERE, key.verify_key).items) == {"a": OTHER, "b": ONE}
