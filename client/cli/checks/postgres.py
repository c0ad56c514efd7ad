"""The PostgreSQL database of a server's rows."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cipherlens.client.cli.checks.finding import Finding, note, ok, problem
from cipherlens.server.errors import StartupError
from cipherlens.server.storage.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from cipherlens.server.config import DatabaseUrl


def postgres(url: "DatabaseUrl") -> Iterator[Finding]:
    """Yield whether it is reached, keeps what it says, is of this version, and who holds it."""
    try:
        from cipherlens.server.storage.postgres_state import look
    except ImportError:
        yield problem("database", "psycopg is missing", "pip install 'cipherlens[postgres]'")
        return
    try:
        seen = look(url)
    except StartupError as error:
        yield problem("database", str(error), "docs/postgresql.md says what a server needs of it")
        return
    yield ok("database", f"{url} answers, PostgreSQL {seen.release}, and keeps what it says")
    if seen.version == SCHEMA_VERSION:
        yield ok("schema", f"version {seen.version}")
    elif seen.version is None:
        yield note("schema", "no tables yet", "'cipherlens serve' makes them")
    else:
        told = f"version {seen.version}, this program writes {SCHEMA_VERSION}"
        yield note("schema", told, "the next start brings it up, or says why it cannot")
    yield ok("holder", "a server holds it" if seen.is_held else "no server holds it")
