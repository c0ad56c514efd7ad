"""How a client's connection is protected, and what it shows the server of who it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from cipherlens.base import stays_here

Metadata = tuple[tuple[str, str | bytes], ...]

# What a header may hold, without blanks: RFC 6750 has fewer, and no token of ours has others.
_TOKEN = re.compile(r"[\x21-\x7e]+")
_CREDENTIAL_HEADERS = {"authorization", "cookie", "proxy-authorization"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What a client of whichever kind connects with.

    Attributes:
        tls: encrypt the connection. A `ca` or a `certificate` says so too.
        ca: PEM file of the authorities that the server's certificate must come from; None takes
            those that come with gRPC.
        certificate: PEM file of the client's own certificates, for a server that asks for them.
        certificate_key: PEM file of their private key, without a passphrase.
        token: a bearer token, as `cipherlens token new` shows it.
        metadata: more that goes with every call; values are bytes where a key ends in "-bin".
        insecure: let a token, and the plain pictures of `EncryptionClient`, leave this machine on a
            connection that is not encrypted.
    """

    tls: bool = False
    ca: str | Path | None = None
    certificate: str | Path | None = None
    certificate_key: str | Path | None = None
    token: str | None = field(default=None, repr=False)
    metadata: Sequence[tuple[str, str | bytes]] = field(default=(), repr=False)
    insecure: bool = False

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.certificate_key is None):
            raise ValueError("certificate and certificate_key go together: one is missing")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise ValueError("token: must be printable ASCII without blanks, and not empty")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.tls or self.ca is not None or self.certificate is not None

    def check(self, target: str, *, sends_secrets: bool = False) -> None:
        """Raise ValueError if a secret would leave this machine unencrypted, against its wishes."""
        if self.uses_tls or self.insecure or stays_here(target):
            return
        names = {key.lower() for key, _ in self.metadata}
        if self.token is None and not (names & _CREDENTIAL_HEADERS) and not sends_secrets:
            return
        what = "plain pictures" if sends_secrets else "the token"
        raise ValueError(
            f"{what} would leave this machine unencrypted on the way to {target}: use TLS, or say "
            "insecure"
        )

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return what TLS is spoken with, None for none. Raises OSError: a file cannot be read."""
        if not self.uses_tls:
            return None
        return grpc.ssl_channel_credentials(
            root_certificates=_bytes(self.ca),
            private_key=_bytes(self.certificate_key),
            certificate_chain=_bytes(self.certificate),
        )

    def call_metadata(self) -> Metadata | None:
        """Return what goes with every call; None for nothing."""
        token = () if self.token is None else (("authorization", f"Bearer {self.token}"),)
        return (*token, *self.metadata) or None


OPEN = Access()
"""A plain connection on which nothing is shown: for a server on this machine without tokens."""


def _bytes(path: str | Path | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
