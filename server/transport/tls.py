"""Certificates of a listener with TLS, read again whenever their files have changed."""

import logging
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import grpc

from cipherlens.server.config import TlsListener
from cipherlens.server.errors import StartupError

_log = logging.getLogger(__name__)

_KEY = b"PRIVATE KEY-----"
_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True, repr=False)
class _Files:
    """What the files of a listener hold, in PEM."""

    key: bytes
    certificate: bytes
    client_ca: bytes | None

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(self.key, self.certificate)], self.client_ca
        )


class Certificates:
    """What a listener shows its callers, and whose certificates it takes of them.

    The files are read before every handshake. New ones count from that connection on; those that
    are broken, or half written, are logged once and change nothing.
    """

    def __init__(self, tls: TlsListener) -> None:
        """Read the files. Raises StartupError naming a bad one."""
        self._tls = tls
        self._lock = threading.Lock()  # guards the two fields below
        self._seen = _read_files(tls)
        self._problem = ""  # the last one logged
        _check(tls, self._seen)

    def credentials(self) -> grpc.ServerCredentials:
        """Return them for a grpcio server."""
        return grpc.dynamic_ssl_server_credentials(
            self._seen.configuration(),
            self._renewed,  # type: ignore[arg-type] # None keeps what there is, says gRPC
            require_client_authentication=self._tls.client_ca is not None,
        )

    def _renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what connections are to see from now on, None for what they saw before."""
        with self._lock:
            try:
                files = _read_files(self._tls)
                if files == self._seen:
                    return None
                self._seen = files  # sound or not, they are looked at once
                _check(self._tls, files)
            except StartupError as error:
                self._complain(str(error))
                return None
            self._problem = ""
        _log.info("the certificates of %s have changed", self._tls.listen)
        return files.configuration()

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            _log.error("the certificates of %s stay as they were: %s", self._tls.listen, problem)
        self._problem = problem


def _read_files(tls: TlsListener) -> _Files:
    return _Files(
        key=_read("private key", tls.key, _KEY),
        certificate=_read("certificate", tls.certificate, _CERTIFICATE),
        client_ca=None
        if tls.client_ca is None
        else _read("client CA", tls.client_ca, _CERTIFICATE),
    )


def _read(what: str, path: Path, mark: bytes) -> bytes:
    """Return the bytes of a PEM file. Raises StartupError if it has not the mark of one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StartupError(f"the {what} {path} cannot be read: {error.strerror}") from error
    if mark not in data:
        raise StartupError(f"{path} holds no {what} in PEM")
    return data


def _check(tls: TlsListener, files: _Files) -> None:
    """Raise StartupError unless OpenSSL takes the files, and they still hold what was read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key with a passphrase is refused: OpenSSL would ask for it at the terminal.
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise StartupError(
            f"the certificate {tls.certificate} and the private key {tls.key} are no pair in PEM "
            f"without a passphrase: {_reason(error)}"
        ) from error
    try:
        if files.client_ca is not None:
            context.load_verify_locations(cadata=files.client_ca.decode("ascii"))
    except (OSError, ValueError) as error:
        raise StartupError(
            f"the client CA {tls.client_ca} holds no certificates: {_reason(error)}"
        ) from error
    if _read_files(tls) != files:
        raise StartupError(f"the files of {tls.listen} are being changed")


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or type(error).__name__
