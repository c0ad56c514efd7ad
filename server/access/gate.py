"""The gate: who calls, before anything else is done for a call."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cipherlens.server.access.errors import TokenFileError
from cipherlens.server.access.principal import EVERYONE, Principal
from cipherlens.server.access.token import TokenRecord, digest_of, id_of
from cipherlens.server.access.token_file import TokenFile
from cipherlens.server.call import Metadata
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import StartupError, Unauthenticated

_log = logging.getLogger(__name__)

# How often the file is looked at while calls come: a revoked token is refused within that time.
LOOK_S = 1.0
_SCHEME = "bearer "

_Shown = tuple[str | bytes, ...]
"""What a call has brought as `authorization`."""


class Gate(Protocol):
    """Says who calls."""

    def caller(self, metadata: Metadata) -> Principal:
        """Return who makes a call, by what came with it. Raises Unauthenticated."""
        ...

    def callers(self, metadata: Sequence[Metadata]) -> Sequence[Principal | None]:
        """Return who makes each of several calls that wait together, None for a stranger."""
        ...


class _OpenGate:
    def caller(self, metadata: Metadata) -> Principal:  # noqa: ARG002 - whoever it is
        return EVERYONE

    def callers(self, metadata: Sequence[Metadata]) -> Sequence[Principal | None]:
        return [EVERYONE] * len(metadata)


OPEN_GATE: Gate = _OpenGate()
"""Lets everybody do everything."""


def gate_of(config: ServerConfig) -> Gate:
    """Return the gate of a server: tokens are asked for if it says so, or has a file of them.

    Raises:
        StartupError: the file cannot be read, or is damaged.
    """
    file = TokenFile.of(config.data_dir, config.keyring)
    if not config.require_tokens and not file.exists():
        return OPEN_GATE
    try:
        return TokenGate(file)
    except TokenFileError as error:
        raise StartupError(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Known:
    record: TokenRecord
    principal: Principal
    expires_at_s: float

    @classmethod
    def of(cls, record: TokenRecord) -> "_Known":
        principal = Principal(record.name, record.permissions)
        return cls(record, principal, record.expires_at.timestamp())


class _Tokens:
    """The tokens of the file, as they were when it was read."""

    def __init__(self, records: Iterable[TokenRecord]) -> None:
        self._by_id = {each.token_id: _Known.of(each) for each in records}
        # What calls have shown is known again by its digest, which nobody can come near by trying.
        self._verified: dict[bytes, _Known] = {}

    def find(self, token: str) -> _Known | None:
        """Return what is known of a token, None for a wrong one."""
        digest = digest_of(token)
        if (known := self._verified.get(digest)) is not None:
            return known
        known = self._by_id.get(id_of(token) or "")
        if known is None or not known.record.has(digest):
            return None
        self._verified[digest] = known
        return known


class TokenGate:
    """Lets in who shows a token of a file as it is now.

    While the file is damaged or gone nobody is let in.
    """

    def __init__(self, file: TokenFile, wall_s: Callable[[], float] = time.time) -> None:
        """Read the file. Raises TokenFileError."""
        self._file = file
        self._wall_s = wall_s
        self._looking = threading.Lock()  # held by the one that looks at the file
        self._seen = _signature(file)
        self._tokens = _Tokens(file.read())  # replaced as a whole
        self._look_at_s = time.monotonic() + LOOK_S

    def caller(self, metadata: Metadata) -> Principal:
        """Return whom the token of a call was made for. Raises Unauthenticated."""
        return self._caller(_shown(metadata))

    def callers(self, metadata: Sequence[Metadata]) -> list[Principal | None]:
        """Return whom the tokens of calls were made for; a token of several is looked at once."""
        if len(metadata) == 1:
            return [self._caller_or_stranger(_shown(metadata[0]))]
        found: dict[_Shown, Principal | None] = {}
        callers = []
        for each in metadata:
            shown = _shown(each)
            if shown not in found:
                found[shown] = self._caller_or_stranger(shown)
            callers.append(found[shown])
        return callers

    def _caller_or_stranger(self, shown: _Shown) -> Principal | None:
        try:
            return self._caller(shown)
        except Unauthenticated:
            return None

    def _caller(self, shown: _Shown) -> Principal:
        token = _token_of(shown)
        if time.monotonic() >= self._look_at_s:
            self._look()
        known = self._tokens.find(token)
        if known is None or self._wall_s() >= known.expires_at_s:
            raise Unauthenticated("the token is unknown, revoked or expired")
        return known.principal

    def _look(self) -> None:
        """Read the file if it has changed; who comes meanwhile goes by what is known."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            seen = _signature(self._file)
            if seen != self._seen:
                self._tokens = _Tokens(self._read())
                self._seen = seen
            self._look_at_s = time.monotonic() + LOOK_S
        finally:
            self._looking.release()

    def _read(self) -> tuple[TokenRecord, ...]:
        try:
            records = self._file.read()
        except TokenFileError as error:
            _log.error("nobody is let in until the file of tokens is mended: %s", error)
            return ()
        _log.info("the file of tokens has changed: %d tokens", len(records))
        return records


def shown_token_id(metadata: Metadata) -> str:
    """Return the public part of the token that came with a call, known or not; empty for none."""
    for text in _shown(metadata):
        if isinstance(text, str) and (token_id := id_of(text.rpartition(" ")[2])):
            return token_id
    return ""


def _signature(file: TokenFile) -> tuple[int, int, int] | None:
    """Return what changes with a file's content, None if there is no file."""
    try:
        status = file.path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _shown(metadata: Metadata) -> _Shown:
    return tuple([value for key, value in metadata if key == "authorization"])


def _token_of(shown: _Shown) -> str:
    """Return the one bearer token that was shown. Raises Unauthenticated."""
    if not shown:
        raise Unauthenticated("a token is needed: authorization: Bearer clens_...")
    if len(shown) > 1:
        raise Unauthenticated("authorization must come once")
    text = shown[0]
    if not isinstance(text, str) or text[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated("authorization must be a bearer token")
    return text[len(_SCHEME) :]
