"""What a PostgreSQL database is: whether it keeps what it says, and who holds it."""

from typing import Any, NamedTuple

import psycopg

from cipherlens.server.config import DatabaseUrl
from cipherlens.server.errors import StartupError
from cipherlens.server.storage.tenure import is_held

OLDEST = 140000
"""The oldest PostgreSQL that has what is asked of it, as it numbers its versions."""

# What an acknowledged write rests on, and what each setting may be.
_DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply"),
    "server_encoding": ("UTF8",),
    "transaction_read_only": ("off",),
}


class Seen(NamedTuple):
    """A database as it is looked at from beside: release, version of our tables, whether held."""

    release: str
    version: str | None
    is_held: bool


def look(url: DatabaseUrl) -> Seen:
    """Return what a database is, and change nothing. Raises StartupError if it cannot serve."""
    place = f"the database {url}"
    options: dict[str, Any] = {"connect_timeout": 10, "application_name": "cipherlens doctor"}
    try:
        with psycopg.connect(url.revealed(), **options) as connection:
            check_durable(connection, place)
            release = str(connection.info.parameter_status("server_version"))
            return Seen(release, _version(connection), is_held(connection))
    except psycopg.Error as error:
        raise StartupError(f"{place} cannot be used: {told(error, url.password)}") from None


def check_durable(connection: "psycopg.Connection[Any]", place: str) -> None:
    """Raise StartupError, naming the setting, unless a commit is on disk when it is told."""
    if connection.info.server_version < OLDEST:
        release = connection.info.server_version // 10000
        raise StartupError(f"{place} is of PostgreSQL {release}, the oldest that serves is 14")
    for name, allowed in _DURABLE.items():
        row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
        found = row[0] if row else ""
        if found not in allowed:
            wanted = " or ".join(allowed)
            raise StartupError(f"{place} has {name} = {found}, it must be {wanted}")


def told(error: BaseException | None, password: str) -> str:
    """Return the driver's words on one line; they have no password, and if they had, hidden."""
    words = " ".join(str(error).split())
    return words.replace(password, "***") if password else words


def _version(connection: "psycopg.Connection[Any]") -> str | None:
    row = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if row is None or row[0] is None:
        return None
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(found[0]) if found else None
