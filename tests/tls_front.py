"""TLS before a server of PostgreSQL that has none: what libpq asks for first is answered here."""

import contextlib
import socket
import ssl
import struct
import threading
from pathlib import Path

_REQUEST = struct.Struct(">ii")
_TLS, _GSS = 80877103, 80877104


class TlsFront:
    """A port of this machine that leads to a socket file, by TLS alone.

    sessions: how many have come by it.
    """

    def __init__(self, certificate: Path, key: Path, behind: Path) -> None:
        """Listen with a certificate."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._behind = str(behind)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.sessions = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        with contextlib.suppress(OSError), caller:
            while (asked := _REQUEST.unpack(caller.recv(_REQUEST.size))[1]) == _GSS:
                caller.sendall(b"N")
            assert asked == _TLS
            caller.sendall(b"S")
            with (
                self._context.wrap_socket(caller, server_side=True) as secure,
                socket.socket(socket.AF_UNIX) as server,
            ):
                server.connect(self._behind)
                self.sessions += 1
                back = threading.Thread(target=_passed_on, args=(server, secure), daemon=True)
                back.start()
                _passed_on(secure, server)
                back.join()


def _passed_on(source: socket.socket, sink: socket.socket) -> None:
    """Pass on what comes until it ends at either side."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
