"""Which database there is: SQLite in the data folder, or PostgreSQL where an address is given."""

from pathlib import Path

from cipherlens.server.config import DatabaseUrl, ServerConfig
from cipherlens.server.errors import StartupError
from cipherlens.server.storage.database import Database
from cipherlens.server.storage.dialect import Dialect
from cipherlens.server.storage.sqlite import SqliteDialect


def open_database(
    data_dir: Path, url: DatabaseUrl | None = None, follow_at: str | None = None
) -> Database:
    """Return the database of a data folder, both made if absent. Raises StartupError.

    follow_at: where this process takes calls of others while it leads; it follows the one that
        does, if there is one. None for one that must lead.
    """
    return Database(open_dialect(data_dir, url, follow_at))


def open_dialect(
    data_dir: Path, url: DatabaseUrl | None = None, follow_at: str | None = None
) -> Dialect:
    """Hold a data folder and the database of its rows, or follow. Raises StartupError."""
    if url is None:
        return SqliteDialect(data_dir, follow_at)
    try:
        from cipherlens.server.storage.postgres import PostgresDialect
    except ImportError as error:  # psycopg, or the libpq that it would take
        raise StartupError(
            "PostgreSQL needs psycopg: pip install 'cipherlens[postgres]'"
        ) from error
    return PostgresDialect(data_dir, url, follow_at)


def address_of(config: ServerConfig) -> DatabaseUrl | None:
    """Return where the rows are, None if in the data folder. Raises StartupError."""
    if config.database is None or config.database_password_file is None:
        return config.database
    return with_password_of(config.database, config.database_password_file)


def with_password_of(url: DatabaseUrl, file: Path) -> DatabaseUrl:
    """Return an address with the password in a file's first line. Raises StartupError."""
    try:
        password = file.read_text(encoding="utf-8").split("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise StartupError(
            f"the database's password cannot be read from {file}: {reason}"
        ) from error
    if not password:
        raise StartupError(f"the database's password is not in the first line of {file}")
    if "\0" in password:
        raise StartupError(f"the database's password in {file} cannot be: it has a zero byte")
    return url.with_password(password)
