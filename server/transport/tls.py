"""Certificate and key of a listener with TLS."""

from pathlib import Path

import grpc

from cipherlens.server.config import TlsListener
from cipherlens.server.errors import StartupError


def credentials_of(tls: TlsListener) -> grpc.ServerCredentials:
    """Return what a grpcio server shows its callers. Raises StartupError naming a bad file."""
    key = _read("private key", tls.key, b"PRIVATE KEY-----")
    certificate = _read("certificate", tls.certificate, b"-----BEGIN CERTIFICATE-----")
    return grpc.ssl_server_credentials([(key, certificate)])


def _read(what: str, path: Path, mark: bytes) -> bytes:
    """Return the bytes of a PEM file; what else is wrong with it gRPC says when it listens."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StartupError(f"the {what} {path} cannot be read: {error.strerror}") from error
    if mark not in data:
        raise StartupError(f"{path} holds no {what} in PEM")
    return data
