"""A socket on this machine, and the server that answers on it."""

import socket
from dataclasses import dataclass, field

import uvicorn

from cipherlens.client.coding import CodeMaker
from cipherlens.client.web.album import Album
from cipherlens.client.web.app import application
from cipherlens.client.web.guard import Secrets
from cipherlens.client.web.searches import Searches
from cipherlens.client.web.uploads import Uploads

HOST = "127.0.0.1"


@dataclass(frozen=True, eq=False, slots=True)
class Listening:
    """A server that listens, and answers once it runs.

    Attributes:
        address: where the user's browser goes, with the token; it is as secret as the pictures.
        server: answers in `run`, which ends when its `should_exit` is set or a signal comes.
    """

    address: str = field(repr=False)
    server: uvicorn.Server
    _socket: socket.socket
    _album: Album

    def run(self) -> None:
        """Answer until the end, and sign what was uploaded."""
        try:
            self.server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._album.vouching.sign()


def listen(album: Album, encoder: CodeMaker | None, port: int = 0) -> Listening:
    """Return the server of an album, on a port of this machine; 0 takes a free one.

    Raises:
        OSError: the port is taken.
        ValueError: the collection holds codes of another network than the encoder's.
    """
    known, searches = Secrets(), Searches(album, encoder)
    uploads = None
    if searches.takes_pictures and album.key.may_sign:
        uploads = Uploads(album, encoder)
    listener = socket.create_server((HOST, port))
    port = listener.getsockname()[1]
    hosts = (f"{HOST}:{port}", f"localhost:{port}")
    config = uvicorn.Config(
        application(album, searches, uploads, known, hosts),
        access_log=False,  # it would have ids, names and what is searched for
        http="h11",
        lifespan="off",
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=3,
        ws="none",
    )
    address = f"http://{hosts[0]}/{known.place}/#{known.token}"
    return Listening(address, uvicorn.Server(config), listener, album)
