"""Who is refused, and what browsers are forbidden."""

import re
import socket
from urllib.parse import urlsplit

import pytest

from cipherlens.client import Client
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.web.album import Album
from cipherlens.client.web.app import _assets
from cipherlens.client.web.guard import HEADERS, Secrets
from cipherlens.client.web.listening import listen
from tests.client.web.conftest import answering, page_of

READ = ["collection", "items", "picture?id=x", "seen?id=x", "original?id=x"]
WRITTEN = ["search", "upload?name=a.png"]


@pytest.fixture(scope="module")
def page(target, key, tmp_path_factory):
    """A page that all of these tests ask."""
    with Client(target, key=key) as client:
        client.create_code_collection("guarded", 48)
        with page_of(client, "guarded", tmp_path_factory.mktemp("signed")) as made:
            yield made


def test_a_session_reads(page):
    assert page.ask("collection").document["count"] == 0


def test_localhost_is_this_machine_too(page):
    name = page.host.replace("127.0.0.1", "localhost")
    headers = {"Host": name, "Origin": f"http://{name}"}
    assert page.ask("collection", headers=headers).status == 200
    assert page.ask("session", "POST", page.token.encode(), headers).status == 204
    assert page.ask("session", "POST", page.token.encode(), {"Host": name}).status == 403


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("cookie", ["", "cipherlens-gallery=", "cipherlens-gallery=guessed"])
def test_without_a_session_nothing_is_read(page, path, cookie):
    answer = page.ask(path, headers={"Cookie": cookie})
    assert answer.status == 401
    assert answer.document == {"error": "open the address that the terminal shows"}


@pytest.mark.parametrize("path", WRITTEN)
def test_without_a_session_nothing_is_done(page, path):
    assert page.ask(path, "POST", headers={"Cookie": ""}).status == 401


@pytest.mark.parametrize("token", ["", "guessed", "\N{SNOWMAN}", "x" * 257])
def test_a_wrong_token_opens_no_session(page, token):
    answer = page.send("session", token.encode())
    assert answer.status in (401, 413)
    assert "set-cookie" not in answer.headers


def test_the_cookie_goes_to_this_page_alone_and_no_script_reads_it(page):
    cookie = page.open_session().headers["set-cookie"]
    assert cookie.split("; ")[1:] == [f"Path={page.place}", "HttpOnly", "SameSite=Strict"]
    assert page.token not in cookie


@pytest.mark.parametrize("path", ["", "collection"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", ""])
def test_a_name_that_was_made_to_lead_here_is_not_answered(page, path, host):
    port = page.host.partition(":")[2]
    answer = page.ask(path, headers={"Host": host.format(port=port)})
    assert answer.status in (400, 421)
    assert b"guarded" not in answer.body


def test_two_hosts_are_not_answered(page):
    name, _, port = page.host.partition(":")
    with socket.create_connection((name, int(port))) as wire:
        wire.sendall(
            f"GET {page.place}collection HTTP/1.1\r\nHost: {page.host}\r\nHost: evil\r\n"
            f"Cookie: {page.cookie}\r\nConnection: close\r\n\r\n".encode()
        )
        assert re.match(rb"HTTP/1.1 4(00|21) ", wire.recv(100))


@pytest.mark.parametrize("path", ["session", *WRITTEN])
@pytest.mark.parametrize("origin", ["", "null", "https://evil.example", "http://127.0.0.1:1"])
def test_another_page_changes_nothing(page, path, origin):
    answer = page.ask(path, "POST", page.token.encode(), headers={"Origin": origin})
    assert answer.status == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", READ)
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_or_port_embeds_nothing(page, path, site):
    assert page.ask(path, headers={"Sec-Fetch-Site": site}).status == 403


def test_the_page_opens_from_a_link_anywhere(page):
    answer = page.ask("", headers={"Sec-Fetch-Site": "cross-site", "Cookie": ""})
    assert answer.status == 200
    assert answer.body.startswith(b"<!doctype html>")


@pytest.mark.parametrize("path", ["/", "/collection", "/x/collection", "//collection"])
def test_beside_its_place_there_is_nothing(page, path):
    assert page.ask(path).status == 404


@pytest.mark.parametrize("path", ["../guard.py", "%2e%2e/guard.py", "/etc/passwd", "page/", "x"])
def test_no_other_file_is_given(page, path):
    assert page.ask(page.place + path).status == 404


@pytest.mark.parametrize("path", ["", "gallery.js", "collection", "nothing", "/elsewhere"])
def test_every_answer_forbids_what_it_can(page, path):
    headers = page.ask(path).headers
    assert {name: headers[name.lower()] for name in HEADERS} == HEADERS
    assert "server" not in headers


def test_the_page_asks_nobody_else_and_has_no_script_in_it():
    for name, data in _assets().items():
        text = data.decode().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text, name
        assert "https:" not in text, name
        assert "innerHTML" not in text, name
    page = _assets()["index.html"].decode()
    assert re.findall(r"<script[^>]*>[^<]", page) == []
    assert not re.search(r"\son[a-z]+=|\sstyle=", page)


def test_it_is_on_this_machine_alone(page):
    port = int(urlsplit(page.address).port or 0)
    with socket.socket() as other:
        other.bind(("127.0.0.2", port))  # would fail if the server had every address


def test_the_address_does_not_show_in_a_text(client, codes, tmp_path):
    listening = listen(Album(client, codes, ManifestFolder(tmp_path)), None)
    with answering(listening) as page:
        assert page.token not in repr(listening)


def test_secrets_are_drawn_anew():
    one, other = Secrets(), Secrets()
    assert len({one.place, one.token, one.session, other.place, other.token, other.session}) == 6
    assert not one.opens(one.session)
    assert one.opens(one.token)
    assert one.token not in repr(one)
