"""A line to PostgreSQL that can be cut at the moment of a commit."""

import contextlib
import shutil
import socket
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from cipherlens.server.config import DatabaseUrl

_SOCKET = ".s.PGSQL.5432"
_COMMIT = b"COMMIT"
_READ_ONLY = b"READ ONLY"  # what the transactions of readers begin with


class _Answers(NamedTuple):
    """What a connection's server says: whether its client hears it, and whether it has come."""

    are_withheld: threading.Event
    have_come: threading.Event


class CutLine:
    """A socket file that leads to a server's; what a client sends goes through as it came.

    cut: when the next commit of a write is cut off: "before" the server has it, "during" its work
        on it, or "after" it has answered, which nobody hears.
    cuts: how many there were.
    """

    def __init__(self, server_folder: Path) -> None:
        """Listen in a folder of its own."""
        self.folder = Path(tempfile.mkdtemp(prefix="line-"))
        self._server = str(server_folder / _SOCKET)
        self.cut = ""
        self.cuts = 0
        self._is_down = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / _SOCKET))
        self._listener.listen()
        self._clients: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def url(self, url: DatabaseUrl, server_folder: Path) -> DatabaseUrl:
        """Return the address by this line of what has one at the server."""
        return DatabaseUrl(url.revealed().replace(str(server_folder), str(self.folder)))

    def go_down(self) -> None:
        """Let nobody through any more who comes from now on."""
        self._is_down = True

    def come_up(self) -> None:
        """Let everybody through again."""
        self._is_down = False

    def close(self) -> None:
        """Let nobody in any more, end all connections, and return when that is done."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(30)
        for each in self._clients:
            _end(each, socket.SHUT_RDWR)
        for each in self._threads:
            each.join(30)
        shutil.rmtree(self.folder)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_down:
                client.close()
                continue
            self._clients.append(client)
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            ends = (client, server, _Answers(threading.Event(), threading.Event()))
            for work in (self._send, self._answer):
                thread = threading.Thread(target=work, args=ends)
                thread.start()
                self._threads.append(thread)

    def _send(self, client: socket.socket, server: socket.socket, answers: "_Answers") -> None:
        """Take what a client sends to the server, up to a commit that shall be cut.

        Of one that only reads nothing is cut: the background reads when it likes.
        """
        writes = True
        while data := _received(client):
            writes = writes and _READ_ONLY not in data
            if writes and _COMMIT in data and self.cut:
                how, self.cut = self.cut, ""
                self.cuts += 1
                if how == "during":
                    _end(client, socket.SHUT_RDWR)
                if how == "after":
                    answers.are_withheld.set()
                if how != "before":
                    server.sendall(data)
                if how == "after":
                    answers.have_come.wait(30)
                break
            server.sendall(data)
        _end(client, socket.SHUT_RDWR)
        _end(server, socket.SHUT_WR)  # the server does what it has been sent, and ends

    def _answer(self, client: socket.socket, server: socket.socket, answers: "_Answers") -> None:
        while data := _received(server):
            if answers.are_withheld.is_set():
                answers.have_come.set()
                continue
            try:
                client.sendall(data)
            except OSError:
                break
        while _received(server):
            pass
        answers.have_come.set()
        _end(client, socket.SHUT_RDWR)
        client.close()
        server.close()


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(1 << 16)
    except OSError:
        return b""


def _end(end: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(how)
