"""The page's server: requests as any program or page on the user's machine may send them."""

import asyncio
import io
import json
from http import HTTPStatus
from random import Random
from urllib.parse import parse_qsl, urlencode

import numpy as np
from PIL import Image

from cipherlens.client import Client
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.web.album import Album
from cipherlens.client.web.app import application
from cipherlens.client.web.guard import COOKIE, HEADERS, Secrets
from cipherlens.client.web.searches import Searches
from cipherlens.client.web.uploads import Uploads
from cipherlens.server.app import CipherLensServer
from cipherlens.server.config import ServerConfig
from tests.fuzz.doors.checkpoints import tiny_checkpoint
from tests.fuzz.doors.keys import OWNER
from tests.fuzz.mutation import mutated_bytes, mutated_json, mutated_text, mutating_json
from tests.fuzz.target import Target

_HOST = "127.0.0.1:8080"
_BELOW, _TOKEN, _SESSION = "/place/", "the-token-of-the-address", "the-session-of-the-cookie"
_OPEN = ("", "session", "index.html", "api.js", "style.css")
_ITEM = "the-id-of-an-item"  # in its place stands one that this run has
# What a request of anybody may come to while the collection's server is well.
_STATUSES = {
    HTTPStatus.OK,
    HTTPStatus.NO_CONTENT,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.MISDIRECTED_REQUEST,
}
_ROUND = 200
"""Inputs after which what they uploaded is removed."""


class Gallery:
    """A page's server over a collection of a real one, asked without a socket."""

    def __init__(self, folder):
        config = ServerConfig(
            data_dir=folder / "served",
            listen=f"unix:{folder}/socket",
            device="cpu",
            transport="grpcio",
        )
        self._server = CipherLensServer(config)
        self._server.start()
        self._client = Client(f"unix:{folder}/socket", key=OWNER)
        self._client.create_cipher_collection("c")
        tiny_checkpoint(folder)
        self._client.push_model(folder / "tiny", collection="c")
        album = Album(self._client, self._client.get_collection("c"), ManifestFolder(folder / "m"))
        album.refresh()
        uploads = Uploads(album, None)
        self.pictures = [_picture(number) for number in range(3)]
        for number, each in enumerate(self.pictures):
            uploads.take([(f"deep/{number}.png", each)], ["red", "ü"][:number])
        album.refresh()
        self.ids = sorted(each.item_id for each in album.entries())
        self._known = Secrets()
        self._known.place, self._known.token = _BELOW.strip("/"), _TOKEN
        self._known.session = _SESSION
        self._app = application(album, Searches(album, None), uploads, self._known, [_HOST])
        self._loop = asyncio.new_event_loop()
        self._sequence, self._tried = self._now(), 0

    def close(self):
        self._loop.close()
        self._client.close()
        self._server.stop(0)

    def attempt(self, data):
        """Ask as it stands there, and return whether there was an answer."""
        request = _request(data.replace(_ITEM.encode(), self.ids[0].encode()))
        if request is None:
            return False
        method, path, query, headers, body = request
        status, answered, told = self._asked(method, path, query, headers, body)
        assert status in _STATUSES, (status, told)
        assert all(answered[name.lower()] == value for name, value in HEADERS.items())
        secrets = (_TOKEN, _SESSION, OWNER.root.hex())
        assert not any(each.encode() in told for each in secrets)
        is_answered = status in (HTTPStatus.OK, HTTPStatus.NO_CONTENT)
        if is_answered:
            self._check_let_in(method, path, headers)
        if "set-cookie" in answered:
            assert (method, path, body) == ("POST", f"{_BELOW}session", _TOKEN.encode())
        self._check_kept(is_upload=path == f"{_BELOW}upload" and is_answered)
        return is_answered

    def _asked(self, method, path, query, headers, body):
        """Return status, headers and body of the answer."""
        started, pieces = [], []
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive():
            return next(messages, {"type": "http.disconnect"})

        async def send(message):
            started.append(message) if "status" in message else pieces.append(message["body"])

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(errors="replace"),
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
        }
        self._loop.run_until_complete(self._app(scope, receive, send))
        (head,) = started
        given = {name.decode("latin-1"): each.decode("latin-1") for name, each in head["headers"]}
        return head["status"], given, b"".join(pieces)

    def _check_let_in(self, method, path, headers):
        """Assert that who is answered may be."""
        of = lambda wanted: [each.decode("latin-1") for name, each in headers if name == wanted]  # noqa: E731
        assert of(b"host") == [_HOST]
        assert path.startswith(_BELOW)
        is_page = path[len(_BELOW) :] in _OPEN or "." in path
        if method not in ("GET", "HEAD"):
            assert f"http://{_HOST}" in of(b"origin")
        if not is_page:
            assert any(_SESSION in each for each in of(b"cookie"))
        if not is_page or method not in ("GET", "HEAD"):
            assert set(of(b"sec-fetch-site")[:1]) <= {"none", "same-origin"}

    def _check_kept(self, *, is_upload):
        """Assert that nothing but an upload has changed anything; remove what was uploaded."""
        if is_upload:
            self._sequence = self._now()
        self._tried += 1
        if self._tried % _ROUND == 0:
            assert self._now() == self._sequence
            there = [each.item_id for each in self._client.list_items("c")]
            self._client.delete("c", [each for each in there if each not in self.ids])
            self._sequence = self._now()

    def _now(self):
        return self._client.get_collection("c").sequence

    def seeds(self):
        """Yield a request for each path, as our own page makes it."""
        item, picture = _ITEM, self.pictures[0].decode("latin-1")
        yield self.seed("GET", "")
        yield self.seed("GET", "style.css")
        yield self.seed("POST", "session", body=_TOKEN)
        yield self.seed("GET", "collection")
        yield self.seed("GET", "items", offset=1, limit=2, name="deep", tag="red", without="ü")
        yield self.seed("GET", "picture", id=item, side=64)
        yield self.seed("GET", "seen", id=item)
        yield self.seed("GET", "seen", query=1)
        yield self.seed("GET", "original", id=item)
        yield self.seed("POST", "search", id=item, k=3, tag="red")
        yield self.seed("POST", "search", picture, k=2)
        yield self.seed("POST", "upload", _upload([["new.png", picture]]), tag="blue")
        two = [["deep/0.png", picture], ["deep/1.png", picture[:90]]]
        yield self.seed("POST", "upload", _upload(two))

    def seed(self, method, path, body="", **query):
        headers = [["host", _HOST], ["sec-fetch-site", "same-origin"]]
        headers.append(["cookie", f"{COOKIE}={_SESSION}"])
        if method == "POST":
            headers.append(["origin", f"http://{_HOST}"])
        return json.dumps([method, _BELOW + path, urlencode(query), headers, body]).encode()


def gallery(folder):
    """A request as JSON: method, path, query, headers, and a body whose letters are bytes."""
    shown = Gallery(folder)

    anything = mutating_json(json.loads, lambda document, _rng: json.dumps(document).encode())

    def mutate(data: bytes, rng: Random) -> bytes:
        return anything(data, rng) if rng.random() < 0.3 else _asked_otherwise(data, rng)

    return Target(
        name="gallery",
        seeds=list(shown.seeds()),
        attempt=shown.attempt,
        mutate=mutate,
        close=shown.close,
        most_bytes=20_000,
    )


def _request(data):
    """Return a request as a server of HTTP hands it on, None for what none would."""
    try:
        method, path, query, headers, body = json.loads(data)
        pairs = [(name.lower().encode("latin-1"), each.encode("latin-1")) for name, each in headers]
        if not (method.isascii() and method.isalpha() and path.startswith("/")):
            return None
        text = path.encode(errors="replace").decode()  # as it comes out of its %XX
        return method, text, query.encode("latin-1"), pairs, body.encode("latin-1")
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def _asked_otherwise(data, rng):
    """Return a request of our own page with another parameter, or another body."""
    try:
        method, path, query, headers, body = json.loads(data)
        parameters = parse_qsl(query, keep_blank_values=True)
        if path.endswith("upload") and rng.random() < 0.8:
            body = _other_upload(body, rng)
        elif body and rng.random() < 0.4:
            body = mutated_bytes(body.encode("latin-1"), rng).decode("latin-1")
        elif parameters:
            place = rng.randrange(len(parameters))
            name, value = parameters[place]
            number = str(rng.choice((-1, 0, 1, 3, 2048, 2049, 2**31, 2**63, 10**30)))
            other = number if rng.random() < 0.3 else mutated_text(value, rng)
            parameters[place : place + rng.randrange(2)] = [(name, other)]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return mutated_bytes(data, rng)
    return json.dumps(
        [method, path, urlencode(parameters, errors="replace"), headers, body]
    ).encode()


def _upload(files):
    """Return the body of an upload of files, each a name and its bytes as letters."""
    listed = [{"name": name, "size": len(data)} for name, data in files]
    return json.dumps(listed) + "\n" + "".join(data for _, data in files)


def _other_upload(body, rng):
    """Return an upload of one file that was changed, or with another head."""
    head, _, data = body.partition("\n")
    if rng.random() < 0.5:
        changed = mutated_bytes(data.encode("latin-1"), rng).decode("latin-1")
        return _upload([[mutated_text("a.png", rng), changed]])
    return json.dumps(mutated_json(json.loads(head), rng)) + "\n" + data


def _picture(number):
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (16, 24, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
