"""Pictures that a browser hands over."""

import socket

import pytest

from cipherlens.client import Naming, index_folder
from cipherlens.client.manifests import ManifestFolder
from tests.client.web.test_pictures import file_of


@pytest.fixture
def page(shown, photos):
    return shown(photos)


def listed(page):
    return {each["name"]: each for each in page.ask("items").document["items"]}


def test_what_is_uploaded_is_there_and_comes_back(page, noise):
    data = file_of(noise(1))
    assert page.send("upload", data, name="deep/a.png", tag=["red", "new"]).document == {
        "state": "indexed",
        "reason": "",
    }
    assert page.ask("collection").document["count"] == 1
    entry = listed(page)["deep/a.png"]
    assert entry["tags"] == ["new", "red"]
    assert page.ask("original", id=entry["id"]).body == data


def test_a_file_that_is_there_is_not_sent_again(page, noise):
    data = file_of(noise(1))
    states = []
    for tags in (["red"], [], ["red"], ["blue"]):
        page.ask("collection")
        states.append(page.send("upload", data, name="a.png", tag=tags).document["state"])
    assert states == ["indexed", "unchanged", "unchanged", "indexed"]
    page.ask("collection")
    assert listed(page)["a.png"]["tags"] == ["blue"]
    changed = page.send("upload", file_of(noise(2)), name="a.png").document["state"]
    assert changed == "indexed"


def test_it_is_what_a_folder_would_have_been(page, client, photos, folder, tmp_path):
    for path in sorted(folder.rglob("*.*")):
        name = path.relative_to(folder).as_posix()
        page.send("upload", path.read_bytes(), name=name)
    page.ask("collection")
    report = index_folder(client, photos, folder, manifests=ManifestFolder(tmp_path / "signed"))
    assert (report.unchanged, report.indexed) == (5, 0)


def test_the_server_is_given_no_name(page, client, photos, noise, key):
    page.send("upload", file_of(noise(1)), name="secret.png")
    naming = Naming(key, client.get_collection(photos).uuid)
    (item,) = client.list_items(photos)
    assert item.item_id == naming.id_of("secret.png")
    assert b"secret" not in item.owner_tag


def test_it_is_signed_when_the_page_asks_what_there_is_and_at_the_end(
    page, client, photos, noise, key, tmp_path
):
    where = client.get_collection(photos)

    def signed():
        manifest = ManifestFolder(tmp_path / "signed").load(where.uuid, key.verify_key)
        return set() if manifest is None else set(manifest.items)

    for number in range(3):
        page.send("upload", file_of(noise(number)), name=f"{number}.png")
    assert signed() == set()
    assert page.ask("collection").document["manifest"] == 1
    assert signed() == {item.item_id for item in client.list_items(photos)}
    page.send("upload", file_of(noise(3)), name="3.png")
    page.server.should_exit = True
    page.thread.join()
    assert len(signed()) == 4


def test_many_are_signed_meanwhile(page, client, photos, noise, key, tmp_path, monkeypatch):
    monkeypatch.setattr("cipherlens.client.web.uploads._SIGNED_AFTER", 2)
    for number in range(3):
        page.send("upload", file_of(noise(number)), name=f"{number}.png")
    uuid = client.get_collection(photos).uuid
    manifest = ManifestFolder(tmp_path / "signed").load(uuid, key.verify_key)
    assert manifest is not None
    assert len(manifest.items) == 2


def test_what_is_not_signed_yet_is_no_problem(page, noise):
    page.send("upload", file_of(noise(0)), name="0.png")
    assert page.ask("collection").document["manifest"] == 1
    page.send("upload", file_of(noise(1)), name="1.png")
    answer = page.send("search", file_of(noise(1))).document
    assert [each["name"] for each in answer["hits"]] == ["1.png", "0.png"]
    assert answer["problems"] == []
    assert page.ask("picture", id=answer["hits"][0]["id"]).status == 200
    assert page.ask("collection").document["manifest"] == 2


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.txt", "is not a picture file by its name"),
        ("../a.png", "has a path that leads elsewhere"),
        ("/a.png", "has a path that leads elsewhere"),
        ("a/./b.png", "has a path that leads elsewhere"),
        ("a\n.png", "has a name that is not UTF-8, or holds control characters"),
        ("x" * 3000 + ".png", "has a path of 3004 bytes"),
    ],
)
def test_other_names_are_passed_over(page, noise, name, reason):
    outcome = page.send("upload", file_of(noise(1)), name=name).document
    assert outcome["state"] == "skipped"
    assert outcome["reason"].startswith(reason)
    assert page.ask("collection").document["count"] == 0


def test_what_is_no_picture_is_passed_over(page):
    outcome = page.send("upload", b"no picture", name="a.png").document
    assert outcome["state"] == "skipped"
    assert "not a picture" in outcome["reason"]


def test_an_upload_that_is_stopped_leaves_nothing(capfd, page, noise):
    data = file_of(noise(1))
    name, _, port = page.host.partition(":")
    with socket.create_connection((name, int(port))) as wire:
        wire.sendall(
            f"POST {page.place}upload?name=a.png HTTP/1.1\r\nHost: {page.host}\r\n"
            f"Origin: {page.origin}\r\nCookie: {page.cookie}\r\n"
            f"Content-Length: {len(data)}\r\n\r\n".encode()
            + data[:-1]
        )
    assert page.ask("collection").document["count"] == 0
    page.server.should_exit = True
    page.thread.join()
    assert capfd.readouterr().err == ""


def test_a_tag_that_is_none_is_refused(page, noise):
    answer = page.send("upload", file_of(noise(1)), name="a.png", tag="x" * 500)
    assert answer.status == 400


def test_a_name_of_another_form_of_unicode_is_the_same(page, noise):
    data = file_of(noise(1))
    page.send("upload", data, name="\u00fc.png")
    page.ask("collection")
    assert page.send("upload", data, name="u\u0308.png").document["state"] == "unchanged"
