"""The gate: who calls, before anything else is done for a call."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cipherlens.server.access.errors import TokenFileError
from cipherlens.server.access.principal import EVERYONE, Principal
from cipherlens.server.access.token import TokenRecord, id_of
from cipherlens.server.access.token_file import TokenFile
from cipherlens.server.call import Call
from cipherlens.server.config import ServerConfig
from cipherlens.server.errors import StartupError, Unauthenticated

_log = logging.getLogger(__name__)

# How often the file is looked at while calls come: a revoked token is refused within that time.
LOOK_S = 1.0
_SCHEME = "bearer "


class Gate(Protocol):
    """Says who calls."""

    def caller(self, call: Call) -> Principal:
        """Return who makes a call. Raises Unauthenticated."""
        ...


class _OpenGate:
    def caller(self, call: Call) -> Principal:  # noqa: ARG002 - whoever it is
        return EVERYONE


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
        self._known = _by_id(file.read())
        self._look_at_s = time.monotonic() + LOOK_S

    def caller(self, call: Call) -> Principal:
        """Return whom the token of a call was made for. Raises Unauthenticated."""
        token = _token_of(call.metadata())
        if time.monotonic() >= self._look_at_s:
            self._look()
        known = self._known.get(id_of(token) or "")
        if known is None or not known.record.is_of(token) or self._wall_s() >= known.expires_at_s:
            raise Unauthenticated("the token is unknown, revoked or expired")
        return known.principal

    def _look(self) -> None:
        """Read the file if it has changed; who comes meanwhile goes by what is known."""
        if not self._looking.acquire(blocking=False):
            return
        try:
            seen = _signature(self._file)
            if seen != self._seen:
                self._known = self._read()
                self._seen = seen
            self._look_at_s = time.monotonic() + LOOK_S
        finally:
            self._looking.release()

    def _read(self) -> dict[str, _Known]:
        try:
            records = self._file.read()
        except TokenFileError as error:
            _log.error("nobody is let in until the file of tokens is mended: %s", error)
            return {}
        _log.info("the file of tokens has changed: %d tokens", len(records))
        return _by_id(records)


def _by_id(records: Iterable[TokenRecord]) -> dict[str, _Known]:
    return {
        each.token_id: _Known(
            each, Principal(each.name, each.permissions), each.expires_at.timestamp()
        )
        for each in records
    }


def _signature(file: TokenFile) -> tuple[int, int, int] | None:
    """Return what changes with a file's content, None if there is no file."""
    try:
        status = file.path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def _token_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Return the one bearer token among what came with a call. Raises Unauthenticated."""
    shown = [value for key, value in metadata if key == "authorization"]
    if not shown:
        raise Unauthenticated("a token is needed: authorization: Bearer clens_...")
    if len(shown) > 1 or not isinstance(shown[0], str):
        raise Unauthenticated("authorization must come once")
    if shown[0][: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated("authorization must be a bearer token")
    return shown[0][len(_SCHEME) :].strip()
