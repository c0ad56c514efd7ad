"""Tokens: what a caller shows, and what is kept of it."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cipherlens.server.access.permission import Permission

# Scanners for leaked secrets know a token by its beginning.
PREFIX = "clens"
_ID_BYTES = 8
_SECRET_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
_FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * _ID_BYTES}}})_[0-9a-f]{{{2 * _SECRET_BYTES}}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenRecord:
    """What a server keeps of a token: nothing that could be shown in its place.

    token_id: the part of the token between prefix and secret; no secret.
    name: whom it was made for.
    permissions: what it allows.
    digest: SHA-256 of the whole token. No slow hash is needed: the secret is 256 random bits, which
        nobody finds by trying, however fast a try is.
    created_at, expires_at: in UTC; it holds before expires_at.
    """

    token_id: str
    name: str
    permissions: tuple[Permission, ...]
    digest: bytes
    created_at: datetime
    expires_at: datetime

    def has(self, digest: bytes) -> bool:
        """Return whether it was made of a token of a digest, as fast whatever the digest is."""
        return hmac.compare_digest(digest, self.digest)


def issue(
    name: str, permissions: Iterable[Permission], lifetime: timedelta
) -> tuple[str, TokenRecord]:
    """Return a new token, "clens_ID_SECRET" in hexadecimal digits, and what is kept of it.

    Raises:
        ValueError: the name is none, or nothing is allowed.
    """
    permissions = tuple(dict.fromkeys(permissions))
    if not _NAME.fullmatch(name):
        raise ValueError(f"name: must be 1 to 64 letters, digits, or of . _ - @, got {name!r}")
    if not permissions:
        raise ValueError("permissions: a token must allow something")
    token_id = secrets.token_hex(_ID_BYTES)
    token = f"{PREFIX}_{token_id}_{secrets.token_hex(_SECRET_BYTES)}"
    now = datetime.now(UTC).replace(microsecond=0)
    record = TokenRecord(
        token_id=token_id,
        name=name,
        permissions=permissions,
        digest=digest_of(token),
        created_at=now,
        expires_at=now + lifetime,
    )
    return token, record


def id_of(token: str) -> str | None:
    """Return the id of a token, None if it has not the form of one."""
    found = _FORM.fullmatch(token)
    return found[1] if found else None


def digest_of(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
