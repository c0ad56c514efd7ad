"""Pictures that a browser hands over."""

import json
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
    assert page.upload("deep/a.png", data, tag=["red", "new"]).document[0] == {
        "state": "indexed",
        "reason": "",
    }
    assert page.ask("collection").document["count"] == 1
    entry = listed(page)["deep/a.png"]
    assert entry["tags"] == ["new", "red"]
    assert page.ask("original", id=entry["id"]).body == data


def body_of(files):
    head = json.dumps([{"name": name, "size": len(data)} for name, data in files])
    return head.encode() + b"\n" + b"".join(data for _, data in files)


def test_of_some_at_once_each_is_told_what_became_of_it(page, noise):
    page.upload("there.png", file_of(noise(0)))
    page.ask("collection")
    files = [
        ("new.png", file_of(noise(1))),
        ("broken.png", b"no picture"),
        ("there.png", file_of(noise(0))),
        ("deep/new.png", file_of(noise(2))),
        ("new.png", file_of(noise(3))),
        ("notes.txt", b""),
    ]
    told = page.send("upload", body_of(files), tag="red").document
    assert [each["state"] for each in told] == [
        *("indexed", "skipped", "indexed", "indexed", "indexed", "skipped"),
    ]  # what is there has another tag by now
    page.ask("collection")
    assert sorted(listed(page)) == ["deep/new.png", "new.png", "there.png"]
    assert {each["tags"][0] for each in listed(page).values()} == {"red"}
    assert page.ask("original", id=listed(page)["new.png"]["id"]).body == files[0][1]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}\nabc",
        b"5\nabc",
        b"[" * 100_000 + b"\nabc",
        b'[{"name": "a.png", "size": Infinity}]\nabc',
        b"[1]\nabc",
        b'[{"name": "a.png"}]\nabc',
        b'[{"name": "a.png", "size": "x"}]\nabc',
        b'[{"name": "a.png", "size": 2}]\nabc',
        b'[{"name": "a.png", "size": 4}]\nabc',
        b'[{"name": "a.png", "size": -1}, {"name": "b.png", "size": 4}]\nabc',
    ],
)
def test_a_list_that_does_not_fit_what_follows_is_refused(page, body):
    answer = page.send("upload", body)
    assert answer.status == 400
    assert "upload must" in answer.document["error"]
    assert page.ask("collection").document["count"] == 0


def test_a_file_that_is_there_is_not_sent_again(page, noise):
    data = file_of(noise(1))
    states = []
    for tags in (["red"], [], ["red"], ["blue"]):
        page.ask("collection")
        states.append(page.upload("a.png", data, tag=tags).document[0]["state"])
    assert states == ["indexed", "unchanged", "unchanged", "indexed"]
    page.ask("collection")
    assert listed(page)["a.png"]["tags"] == ["blue"]
    changed = page.upload("a.png", file_of(noise(2))).document[0]["state"]
    assert changed == "indexed"


def test_it_is_what_a_folder_would_have_been(page, client, photos, folder, tmp_path):
    for path in sorted(folder.rglob("*.*")):
        name = path.relative_to(folder).as_posix()
        page.upload(name, path.read_bytes())
    page.ask("collection")
    report = index_folder(client, photos, folder, manifests=ManifestFolder(tmp_path / "signed"))
    assert (report.unchanged, report.indexed) == (5, 0)


def test_the_server_is_given_no_name(page, client, photos, noise, key):
    page.upload("secret.png", file_of(noise(1)))
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
        page.upload(f"{number}.png", file_of(noise(number)))
    assert signed() == set()
    assert page.ask("collection").document["manifest"] == 1
    assert signed() == {item.item_id for item in client.list_items(photos)}
    page.upload("3.png", file_of(noise(3)))
    page.server.should_exit = True
    page.thread.join()
    assert len(signed()) == 4


def test_many_are_signed_meanwhile(page, client, photos, noise, key, tmp_path, monkeypatch):
    monkeypatch.setattr("cipherlens.client.web.uploads._SIGNED_AFTER", 2)
    for number in range(3):
        page.upload(f"{number}.png", file_of(noise(number)))
    uuid = client.get_collection(photos).uuid
    manifest = ManifestFolder(tmp_path / "signed").load(uuid, key.verify_key)
    assert manifest is not None
    assert len(manifest.items) == 2


def test_what_is_not_signed_yet_is_no_problem(page, noise):
    page.upload("0.png", file_of(noise(0)))
    assert page.ask("collection").document["manifest"] == 1
    page.upload("1.png", file_of(noise(1)))
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
    outcome = page.upload(name, file_of(noise(1))).document[0]
    assert outcome["state"] == "skipped"
    assert outcome["reason"].startswith(reason)
    assert page.ask("collection").document["count"] == 0


def test_what_is_no_picture_is_passed_over(page):
    outcome = page.upload("a.png", b"no picture").document[0]
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
    answer = page.upload("a.png", file_of(noise(1)), tag="x" * 500)
    assert answer.status == 400


def test_a_name_of_another_form_of_unicode_is_the_same(page, noise):
    data = file_of(noise(1))
    page.upload("\u00fc.png", data)
    page.ask("collection")
    assert page.upload("u\u0308.png", data).document[0]["state"] == "unchanged"
