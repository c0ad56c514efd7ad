"""Checks of single fields that both services share; each raises InvalidField naming the field."""

import re
import unicodedata

from cipherlens.server.config import Limits
from cipherlens.server.errors import InvalidField, LimitExceeded
from cipherlens.server.revisions import MAX_REVISION
from cipherlens.wire import MalformedMessage

DIGEST_BYTES = 32

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def invalid_field(field: str, error: MalformedMessage) -> InvalidField:
    """Return what is wrong with the message in a field."""
    path = ".".join(each for each in (field, error.field) if each)
    return InvalidField(path, error.problem, value=error.value)


def check_name(field: str, name: str, limits: Limits) -> str:
    """Return the name of a collection or key if it is one."""
    check_size(field, len(name.encode()), limits.max_name_bytes)
    if not _NAME.fullmatch(name):
        raise InvalidField(
            field,
            'must be letters, digits, ".", "_" and "-", beginning with a letter or digit',
            value=repr(name),
        )
    return name


def check_item_id(field: str, item_id: str, limits: Limits) -> str:
    """Return an item id if it is not empty, not too long and free of control characters."""
    if not item_id:
        raise InvalidField(field, "must not be empty")
    check_size(field, len(item_id.encode()), limits.max_item_id_bytes)
    return check_text(field, item_id)


def check_text(field: str, text: str) -> str:
    """Return a text that is shown to people if it is free of control characters."""
    if not text.isprintable() and any(unicodedata.category(c) == "Cc" for c in text):
        raise InvalidField(field, "must hold no control characters", value=repr(text))
    return text


def check_revision(field: str, revision: int) -> int:
    """Return a revision that every client can hold."""
    if revision > MAX_REVISION:
        raise InvalidField(field, "too large", limit=MAX_REVISION, value=revision)
    return revision


def check_digest(field: str, value: bytes, *, required: bool = False) -> bytes:
    """Return a SHA-256 digest, or nothing if none was given where none is required."""
    if required and not value:
        raise InvalidField(field, "is required")
    if len(value) not in (0, DIGEST_BYTES):
        raise InvalidField(field, f"must have {DIGEST_BYTES} bytes or none", value=len(value))
    return value


def check_count(field: str, count: int, limit: int) -> None:
    """Raise unless 1 <= count <= limit."""
    if count == 0:
        raise InvalidField(field, "must not be empty")
    if count > limit:
        raise LimitExceeded(field, limit=limit, value=count, unit="number")


def check_size(field: str, size_bytes: int, limit: int) -> None:
    """Raise if there are more bytes than the limit."""
    if size_bytes > limit:
        raise LimitExceeded(field, limit=limit, value=size_bytes, unit="bytes")
