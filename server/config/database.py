"""The address of a PostgreSQL database, whose password nobody is shown."""

import re
from typing import Annotated, ClassVar, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from pydantic import PlainValidator

_HIDDEN = "***"
# Drivers do not agree on where the parts of an address end that has more of these signs.
_FORM = re.compile(
    r"[a-z]+://([^:@/?#\[\]]*(:[^@/?#\[\]]*)?@)?(\[[\da-fA-F:.]+\]|[^:@/?#\[\]]*)(:\d+)?(/([^/@?#][^@?#]*)?)?"
    r"(\?[^@#]*)?"
)
_ESCAPED = re.compile(r"%(?!00)[0-9A-Fa-f]{2}")


class DatabaseUrl:
    """`postgresql://user:password@host:port/name?option=value`, as libpq takes it.

    As text it is shown without its password, in logs, errors and tracebacks alike.

    schemes: what it may begin with.
    words: what it must be, for people.
    """

    schemes: ClassVar[tuple[str, ...]] = ("postgresql", "postgres")
    words: ClassVar[str] = "postgresql://USER@HOST[:PORT]/NAME"

    def __init__(self, text: str) -> None:
        """Take the address. Raises ValueError, which does not quote it."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise ValueError(f"must be {self.words}") from error
        if parts.scheme not in self.schemes or port == 0 or not self._is_whole(parts):
            raise ValueError(f"must be {self.words}")
        if not _is_readable(text.strip()):
            raise ValueError(
                "must have %XX, of UTF-8, in the place of spaces, %, what is no text, and :/?#@[] "
                "in a name or password"
            )
        options = parse_qsl(parts.query, keep_blank_values=True)
        if any(name.endswith("password") for name, _ in options):
            raise ValueError("must have its password before the host, or in a file")
        if parts.password == _HIDDEN:
            raise ValueError(f"must have the password in the place of {_HIDDEN}")
        self._parts = parts

    def _is_whole(self, parts: SplitResult) -> bool:
        return bool(parts.path.strip("/"))

    @property
    def has_password(self) -> bool:
        """Whether it carries one."""
        return self._parts.password is not None

    @property
    def password(self) -> str:
        """The password that it carries, or empty."""
        return unquote(self._parts.password or "")

    def with_password(self, password: str) -> Self:
        """Return the address with this password in it."""
        return type(self)(_text(self._parts, quote(password, safe="")))

    def revealed(self) -> str:
        """Return all of it: for the driver and nobody else."""
        return _text(self._parts, self._parts.password)

    def __str__(self) -> str:
        return _text(self._parts, _HIDDEN if self.has_password else None)

    def __repr__(self) -> str:
        return f"DatabaseUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatabaseUrl) and self._parts == other._parts

    def __hash__(self) -> int:
        return hash(self._parts)


def _is_readable(text: str) -> bool:
    """Return whether a driver takes an address apart as this module does.

    What libpq does not, it quotes in its error as it stands, a password too.
    """
    try:
        unquote(text, errors="strict")
    except UnicodeDecodeError:
        return False
    is_escaped = "%" not in _ESCAPED.sub("", text) and text.isprintable() and " " not in text
    return is_escaped and _FORM.fullmatch(text) is not None


def _text(parts: SplitResult, password: str | None) -> str:
    user, at, host = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    if password is not None:
        user, at = f"{user}:{password}", "@"
    query = f"?{parts.query}" if parts.query else ""  # urlunsplit drops the // before an empty host
    return f"{parts.scheme}://{user}{at}{host}{parts.path}{query}"


def _checked(value: object) -> DatabaseUrl:
    if isinstance(value, DatabaseUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return DatabaseUrl(value)


DatabaseSetting = Annotated[DatabaseUrl, PlainValidator(_checked)]
"""An address among settings."""
