"""The page's server at work, asked as a browser would ask it."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from cipherlens.client import Client, Collection
from cipherlens.client.manifests import ManifestFolder
from cipherlens.client.web.album import Album
from cipherlens.client.web.guard import COOKIE
from cipherlens.client.web.listening import Listening, listen


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The JSON document in it."""
        return json.loads(self.body)


class Page:
    """Asks a page's server, with the session once there is one."""

    def __init__(self, address: str) -> None:
        """Take the address with the token."""
        parts = urlsplit(address)
        self.address = address
        self.host, self.place, self.token = parts.netloc, parts.path, parts.fragment
        self.cookie = ""
        self.server: Any = None
        self.thread: Any = None

    @property
    def origin(self) -> str:
        """What a browser calls our own page."""
        return f"http://{self.host}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        **parameters: Any,
    ) -> Answer:
        """Return the answer to a request of our own page, but for what `headers` replace."""
        sent = {"Host": self.host, "Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        if method != "GET":
            sent["Origin"] = self.origin
        sent |= headers or {}
        where = path if path.startswith("/") else self.place + path
        where += f"?{urlencode(parameters, doseq=True)}" * bool(parameters)
        connection = HTTPConnection(*self.host.split(":"), timeout=60)
        connection.putrequest(method, where, skip_host=True)
        for name, value in sent.items():
            if value:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        found = Answer(answer.status, dict(answer.getheaders()), answer.read())
        connection.close()
        return found

    def send(self, path: str, body: bytes = b"", **parameters: Any) -> Answer:
        """Return the answer to a POST."""
        return self.ask(path, "POST", body, **parameters)

    def upload(self, name: str, data: bytes, **parameters: Any) -> Answer:
        """Return the answer to the upload of one picture file."""
        head = json.dumps([{"name": name, "size": len(data)}]).encode()
        return self.send("upload", head + b"\n" + data, **parameters)

    def open_session(self) -> Answer:
        """Give the token, and keep the cookie."""
        answer = self.send("session", self.token.encode())
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        assert self.cookie.startswith(COOKIE)
        return answer


@contextmanager
def answering(listening: Listening) -> Iterator[Page]:
    """Let a server answer on a thread."""
    thread = threading.Thread(target=listening.run)
    thread.start()
    page = Page(listening.address)
    page.server, page.thread = listening.server, thread
    try:
        yield page
    finally:
        listening.server.should_exit = True
        thread.join()


@contextmanager
def page_of(client: Client, name: str, signed: Path, encoder: Any = None) -> Iterator[Page]:
    """Show a collection, and give its page with a session."""
    album = Album(client, client.get_collection(name), ManifestFolder(signed))
    album.refresh()
    with answering(listen(album, encoder)) as page:
        page.open_session()
        yield page


Shown = Callable[..., Page]


@pytest.fixture
def shown(client: Client, tmp_path: Path) -> Iterator[Shown]:
    """A function that shows a collection, and returns its page with a session."""
    with ExitStack() as stack:

        def show(name: str, reader: Client = client, encoder: Any = None) -> Page:
            return stack.enter_context(page_of(reader, name, tmp_path / "signed", encoder))

        yield show


@pytest.fixture
def codes(client: Client, request: pytest.FixtureRequest) -> Collection:
    """A fresh collection of codes of 48 bits."""
    return client.create_code_collection(f"codes-{abs(hash(request.node.nodeid))}", 48)
