"""Keyrings, and the files of TLS."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from cipherlens.client.cli.checks.finding import Finding, ok, privacy, problem, warning
from cipherlens.crypto import Keyring, KeyringError

_SOON = timedelta(days=30)


def keyring(path: Path) -> Iterator[Finding]:
    """Yield whether a keyring can be read, by whom, and whether a passphrase protects it."""
    try:
        is_protected = Keyring.is_protected(path)
    except KeyringError as error:
        yield problem("keyring", str(error), f"chmod 600 {path}, or name the right file")
        return
    if is_protected:
        yield ok("keyring", f"{path} is this user's alone and has a passphrase")
    else:
        advice = f"cipherlens keys passphrase {path}"
        yield warning(
            "keyring", f"{path} has no passphrase: its copy is a copy of the keys", advice
        )


def tls(certificate: Path, key: Path, client_ca: Path | None) -> Iterator[Finding]:
    """Yield whether certificates hold, for how long, and whether the key is of the first."""
    yield from _certificates("TLS certificate", certificate)
    if client_ca is not None:
        yield from _certificates("TLS client authorities", client_ca)
    try:
        yield privacy("TLS key", key)
        yield _pair(certificate, key)
    except (OSError, ValueError, TypeError) as error:
        yield problem("TLS key", f"{key}: {_reason(error)}", "it must be PEM, without passphrase")


def _certificates(name: str, path: Path) -> Iterator[Finding]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        yield problem(name, f"{path}: {_reason(error)}", "it must be PEM")
        return
    now = datetime.now(UTC)
    first_end = min(each.not_valid_after_utc for each in found)
    last_begin = max(each.not_valid_before_utc for each in found)
    seen = f"{path} holds until {first_end:%Y-%m-%d}"
    if last_begin > now:
        seen = f"{path} holds from {last_begin:%Y-%m-%d %H:%M} UTC on"
        yield problem(name, seen, "look at the clock, or wait")
    elif first_end <= now:
        yield problem(name, f"{path} has ended {first_end:%Y-%m-%d}", "renew it")
    elif first_end - now < _SOON:
        yield warning(name, seen, "renew it; a running server takes the new file by itself")
    else:
        yield ok(name, seen)


def _pair(certificate: Path, key: Path) -> Finding:
    first = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    private = load_pem_private_key(key.read_bytes(), None)
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if first.public_key().public_bytes(*form) != private.public_key().public_bytes(*form):
        seen = f"{key} is not of the first certificate in {certificate}"
        return problem("TLS pair", seen, "the server's own certificate must come first")
    return ok("TLS pair", "key and certificate belong together")


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
