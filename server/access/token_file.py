"""The file of a server's tokens: JSON with a checksum, replaced as a whole.

    {"magic": "cipherlens-tokens", "version": 1, "tokens": [...], "checksum": ...}

The checksum is the SHA-256, in hexadecimal digits, of the canonical JSON (sorted keys, no spaces)
of the tokens: it tells an accident, and protects against nobody.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from cipherlens.base import make_folder, open_regular, replace_file
from cipherlens.server.access.errors import TokenFileError
from cipherlens.server.access.permission import Permission
from cipherlens.server.access.token import TokenRecord

_MAGIC = "cipherlens-tokens"
_VERSION = 1
_MAX_BYTES = 16 * 2**20
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class TokenFile:
    """Tokens on disk; programs that change them at the same time take turns."""

    def __init__(self, path: Path) -> None:
        """Take where it is; it need not be there."""
        self.path = path

    @classmethod
    def of(cls, data_dir: Path | None, keyring: Path | None) -> "TokenFile":
        """Return a server's file: beside its keyring if it has one, else in its data folder."""
        if keyring is not None:
            return cls(keyring.with_name(f"{keyring.name}.tokens"))
        if data_dir is None:
            raise ValueError("a server has a data folder or a keyring")
        return cls(data_dir / "tokens.json")

    def exists(self) -> bool:
        """Return whether there is one, be it empty or damaged."""
        return os.path.lexists(self.path)

    def read(self) -> tuple[TokenRecord, ...]:
        """Return the tokens, none if there is no file.

        Raises:
            TokenFileError: it cannot be read, is damaged, or others may write it.
        """
        try:
            with open_regular(self.path) as file:
                _check_owner(self.path, os.fstat(file.fileno()))
                data = file.read(_MAX_BYTES + 1)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise TokenFileError(f"{self.path} cannot be read: {error.strerror}") from error
        return _records(self.path, data)

    def add(self, record: TokenRecord) -> None:
        """Keep one more token; it is on disk when this returns.

        Raises:
            TokenFileError: its name is taken, or as `read` does.
        """

        def added(records: Sequence[TokenRecord]) -> list[TokenRecord]:
            if any(each.name == record.name for each in records):
                raise TokenFileError(f"there is a token named {record.name!r} already")
            return [*records, record]

        self._change(added)

    def get(self, id_or_name: str) -> TokenRecord:
        """Return a token.

        Raises:
            TokenFileError: there is none, or as `read` does.
        """
        return _named(self.read(), id_or_name)[0]

    def revoke(self, id_or_name: str) -> TokenRecord:
        """Remove a token and return it; a running server refuses it within a second.

        Raises:
            TokenFileError: there is none, or as `read` does.
        """
        removed: list[TokenRecord] = []

        def others(records: Sequence[TokenRecord]) -> list[TokenRecord]:
            removed.extend(_named(records, id_or_name))
            return [each for each in records if each not in removed]

        self._change(others)
        return removed[0]

    def _change(self, change: Callable[[Sequence[TokenRecord]], Sequence[TokenRecord]]) -> None:
        make_folder(self.path.parent, 0o700)
        try:
            with self._held():
                replace_file(self.path, _document(change(self.read())), new_mode=0o600)
        except OSError as error:
            raise TokenFileError(f"{self.path} cannot be written: {error.strerror}") from error

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep other programs from changing the tokens meanwhile."""
        import fcntl  # a server has it; a command line on Windows gets by without

        lock = self.path.with_name(f".{self.path.name}.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _named(records: Sequence[TokenRecord], id_or_name: str) -> list[TokenRecord]:
    """Return the tokens of an id or name, at least one. Raises TokenFileError if there is none."""
    found = [each for each in records if id_or_name in {each.token_id, each.name}]
    if not found:
        raise TokenFileError(f"there is no token with the id or name {id_or_name!r}")
    return found


def _check_owner(path: Path, status: os.stat_result) -> None:
    """Raise unless nobody but this user and root can give himself a token."""
    if status.st_uid not in {os.geteuid(), 0} or status.st_mode & _OTHERS_WRITE:
        raise TokenFileError(
            f"{path}: others may write it; it must belong to this user with mode 0600"
        )


def _document(records: Sequence[TokenRecord]) -> bytes:
    tokens = [_entry(each) for each in records]
    document = {
        "magic": _MAGIC,
        "version": _VERSION,
        "tokens": tokens,
        "checksum": _checksum(tokens),
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _records(path: Path, data: bytes) -> tuple[TokenRecord, ...]:
    try:
        document = json.loads(data)
        if (document["magic"], document["version"]) != (_MAGIC, _VERSION):
            raise TokenFileError(f"{path} is no file of tokens of version {_VERSION}")
        if document["checksum"] != _checksum(document["tokens"]):
            raise TokenFileError(f"{path} is damaged: its checksum does not fit")
        return tuple(map(_record, document["tokens"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TokenFileError(f"{path} is damaged, or no file of tokens") from error


def _entry(record: TokenRecord) -> dict[str, Any]:
    return {
        "id": record.token_id,
        "name": record.name,
        "permissions": [str(each) for each in record.permissions],
        "sha256": record.digest.hex(),
        "created_at": record.created_at.isoformat(),
        "expires_at": record.expires_at.isoformat(),
    }


def _record(entry: dict[str, Any]) -> TokenRecord:
    return TokenRecord(
        token_id=entry["id"],
        name=entry["name"],
        permissions=tuple(map(Permission.parse, entry["permissions"])),
        digest=bytes.fromhex(entry["sha256"]),
        created_at=datetime.fromisoformat(entry["created_at"]),
        expires_at=datetime.fromisoformat(entry["expires_at"]),
    )


def _checksum(tokens: object) -> str:
    canonical = json.dumps(tokens, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
