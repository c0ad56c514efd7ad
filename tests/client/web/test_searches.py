"""Searches that the page asks for."""

import numpy as np
import pytest

from cipherlens.client import Client
from cipherlens.client.manifests import ManifestFolder
from cipherlens.crypto import Grant, Identity, ListedItem, Rights
from tests.client.malicious import between
from tests.client.web.test_pictures import file_of, opened


@pytest.fixture
def uploaded(shown, photos, noise):
    """A page of five pictures, one of them with a tag."""
    page = shown(photos)
    for number in range(5):
        tags = ["odd"] if number % 2 else []
        page.upload(f"{number}.png", file_of(noise(number)), tag=tags)
    page.ask("collection")
    return page


def names(answer):
    return [hit["name"] for hit in answer.document["hits"]]


def test_a_picture_finds_itself_and_shows_what_the_server_was_given(uploaded, noise, key):
    answer = uploaded.send("search", file_of(noise(3)), k=3)
    assert names(answer)[0] == "3.png"
    assert answer.document["hits"][0]["score"] == "1.000"
    assert len(names(answer)) == 3
    seen = np.asarray(opened(uploaded.ask("seen", query=answer.document["query"]).body))
    stored = uploaded.ask("seen", id=answer.document["hits"][0]["id"]).body
    assert np.array_equal(seen, np.asarray(opened(stored)))  # a key of collection scope
    assert uploaded.ask("seen", query="q99").status == 404


def test_an_item_finds_itself(uploaded):
    (entry,) = [each for each in uploaded.ask("items").document["items"] if each["name"] == "2.png"]
    assert names(uploaded.send("search", id=entry["id"]))[0] == "2.png"
    assert uploaded.send("search", id="none").status == 404


def test_tags_are_kept_to(uploaded, noise):
    picture = file_of(noise(3))
    assert sorted(names(uploaded.send("search", picture, tag="odd"))) == ["1.png", "3.png"]
    found = names(uploaded.send("search", picture, without="odd"))
    assert sorted(found) == ["0.png", "2.png", "4.png"]
    assert uploaded.send("search", picture, tag="").status == 400


def test_what_is_no_picture_is_told(uploaded):
    assert uploaded.send("search", b"no picture").status == 415
    assert uploaded.send("search", b"").status == 415


def test_the_server_is_given_ciphertext_alone(target, key, uploaded, shown, photos, noise):
    asked = []

    def note(request, answer):
        asked.append(request)
        return answer

    with between(target) as server, Client(server.target, key=key) as reader:
        server.alter["Search"] = note
        shown(photos, reader).send("search", file_of(noise(3)), k=2)
    (request,) = asked
    (image,) = request.cipher_images.images
    assert image.profile.key_fingerprint == key.fingerprint
    plain = np.asarray(noise(3).resize((32, 48)))
    given = np.frombuffer(image.pixels, np.uint8).reshape(48, 32, 3)
    assert not np.array_equal(plain, given)


def test_hits_are_held_to_the_manifest(shown, uploaded, client, photos, key, tmp_path):
    where = client.get_collection(photos)
    folder = ManifestFolder(tmp_path / "signed")
    gone = ListedItem(1, bytes(32), sealed=True)
    folder.record(key, where.uuid, {"gone": gone})
    page = shown(photos)
    (first, *_) = page.ask("items").document["items"]
    problems = page.send("search", id=first["id"]).document["problems"]
    assert problems == ["there are 5 hits where manifest 2 promises 6"]
    assert uploaded.send("search", id=first["id"]).document["problems"] == []


def test_codes_are_searched_by_items_and_by_pictures_of_a_network(
    shown, client, codes, noise, hash_checkpoint, key
):
    from cipherlens.model.hash_encoder import HashEncoder

    encoder = HashEncoder(hash_checkpoint.read_bytes(), "cpu")
    where = client.create_code_collection(codes.name + "-24", 24)
    page = shown(where.name, encoder=encoder)
    for number in range(4):
        page.upload(f"{number}.png", file_of(noise(number)))
    answer = page.send("search", file_of(noise(2)))
    best = {hit["name"] for hit in answer.document["hits"] if hit["score"] == "0 bits"}
    assert "2.png" in best
    assert page.ask("collection").document["count"] == 4
    (first, *_) = page.ask("items").document["items"]
    assert first["name"] in names(page.send("search", id=first["id"]))
    bare = shown(codes.name)
    assert bare.ask("collection").document["takes_pictures"] is False
    assert bare.send("search", file_of(noise(1))).status == 400


def test_vectors_are_searched_by_items(shown, client, codes):
    name = codes.name + "-vectors"
    client.create_vector_collection(name, 3)
    client.index_vectors(name, ["a", "b", "c"], np.eye(3))
    page = shown(name)
    assert names(page.send("search", id="b", k=1)) == ["b"]
    assert page.ask("collection").document["takes_uploads"] is False


def test_one_who_was_granted_reads_and_uploads_nothing(
    target, shown, uploaded, client, photos, key, noise
):
    where = client.get_collection(photos)
    me = Identity.generate("me")
    grant = Grant.make(key, me.recipient, where.uuid, where.kind, Rights.OPEN)
    with Client(target, key=grant.open(me, "theirs")) as user:
        page = shown(photos, user)
        assert page.ask("collection").document["takes_uploads"] is False
        assert names(page.send("search", file_of(noise(1))))[0] == "1.png"
        assert page.upload("9.png", file_of(noise(9))).status == 403


def test_pages_of_the_collection(uploaded):
    page = uploaded.ask("items", offset=2, limit=2).document
    assert page["total"] == 5
    assert [each["name"] for each in page["items"]] == ["2.png", "3.png"]
    assert uploaded.ask("items", name="3").document["total"] == 1
    assert uploaded.ask("items", tag="odd").document["total"] == 2
    for wrong in ({"limit": 0}, {"limit": 501}, {"offset": -1}, {"offset": "x"}):
        assert uploaded.ask("items", **wrong).status == 400
