"""What is listed: names and tags, as far as the key opens them."""

import numpy as np
import pytest

from cipherlens.client import Client, Naming, NotFound, TagFilter, Tagging
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.web.album import Album
from cipherlens.crypto import Grant, Identity, ListedItem, Rights
from tests.client.malicious import between

CODES = np.random.default_rng(0).integers(0, 256, (4, 6), np.uint8)
NAMES = ["b.png", "A/x.png", "a.png", "c.png"]
TAGS = [["red"], ["red", "blue"], [], ["blue"]]


@pytest.fixture
def named(client, codes, key):
    """The collection with items as `index_folder` names them."""
    naming = Naming(key, codes.uuid)
    tags = [bytes(32) + naming.sealed(name) for name in NAMES]
    client.index_codes(codes, list(map(naming.id_of, NAMES)), CODES, owner_tags=tags, tags=TAGS)
    return codes


def album_of(client, where, tmp_path):
    made = Album(client, where, ManifestFolder(tmp_path))
    made.refresh()
    return made


def names(entries):
    return [each.name for each in entries]


def test_names_stand_in_their_order(client, named, tmp_path):
    album = album_of(client, named, tmp_path)
    assert names(album.entries()) == ["a.png", "A/x.png", "b.png", "c.png"]


def test_entries_are_filtered_by_name_and_tags(client, named, tmp_path):
    album = album_of(client, named, tmp_path)
    assert names(album.entries("a")) == ["a.png", "A/x.png"]
    assert names(album.entries(tags=TagFilter(all_of=["red", "blue"]))) == ["A/x.png"]
    assert names(album.entries(tags=TagFilter(none_of=["red"]))) == ["a.png", "c.png"]
    assert names(album.entries("b", TagFilter(all_of=["red"]))) == ["b.png"]
    assert album.tags() == [("blue", 2), ("red", 2)]


def test_it_is_listed_anew_when_it_has_changed(client, named, key, tmp_path):
    album = album_of(client, named, tmp_path)
    before = album.entries()[0]
    album.refresh()
    assert album.entries()[0] is before
    client.index_codes(named, ["new"], CODES[:1])
    assert list(album.named(["new", "none"])) == ["new"]


def test_one_who_may_search_and_not_open_sees_ids(target, client, named, key, tmp_path):
    me = Identity.generate("me")
    grant = Grant.make(key, me.recipient, named.uuid, named.kind, Rights.SEARCH)
    with Client(target, key=grant.open(me, "theirs")) as user:
        album = album_of(user, named, tmp_path)
        naming = Naming(key, named.uuid)
        assert sorted(names(album.entries())) == sorted(map(naming.id_of, NAMES))
        assert album.tags() == []


def test_a_name_that_was_altered_does_not_hide_the_others(target, named, key, tmp_path):
    def alter(_request, answer):
        answer.items[0].owner_tag = answer.items[0].owner_tag[:-1] + b"\0"
        return answer

    with between(target) as server, Client(server.target, key=key) as reader:
        server.alter["ListItems"] = alter
        entries = album_of(reader, named, tmp_path).entries()
    broken = [each for each in entries if each.problem]
    assert len(entries) == 4
    assert [each.name for each in broken] == [broken[0].item_id]


def test_tags_that_were_left_out_are_told_by_the_manifest(target, client, named, key, tmp_path):
    def alter(_request, answer):
        for each in answer.items:
            each.sealed_tags = b""
        return answer

    tagging, manifests = Tagging(key, named.uuid), ManifestFolder(tmp_path / "signed")
    listed = {
        each.item_id: ListedItem(
            each.revision,
            bytes(32),
            each.sealed_size_bytes > 0,
            tagging.blinded(tagging.read(each), each.item_id, each.revision).listed(),
        )
        for each in client.list_items(named)
    }
    manifests.record(key, named.uuid, listed)
    with_tags = {item_id for item_id, each in listed.items() if each.tags.tokens}
    assert with_tags
    with between(target) as server, Client(server.target, key=key) as reader:
        server.alter["ListItems"] = alter
        album = Album(reader, named, manifests)
        album.refresh()
    broken = {each.item_id: each.problem for each in album.entries() if each.problem}
    assert set(broken) == with_tags
    assert all("has no tags, not those that revision" in each for each in broken.values())


def test_a_collection_that_took_the_name_is_told(client, named, tmp_path):
    album = album_of(client, named, tmp_path)
    client.delete_collection(named.name)
    client.create_code_collection(named.name, 48)
    with pytest.raises(NotFound, match="another one by now"):
        album.refresh()
    client.delete_collection(named.name)
    with pytest.raises(NotFound):
        album.refresh()


def test_an_item_that_is_not_there_is_told(client, named, tmp_path):
    with pytest.raises(NotFound, match="'none' is missing"):
        album_of(client, named, tmp_path).item("none")
