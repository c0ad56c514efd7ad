"""The version of the tables: made, or brought up step by step, before anything else is asked."""

import logging

from sqlalchemy import Connection, insert, inspect, select, text

from cipherlens.server.errors import StartupError
from cipherlens.server.storage import schema

_log = logging.getLogger(__name__)

MOVING = "moving:"
"""How the version of tables begins that `moving` has not filled in full."""

_BEFORE = "schema_version"  # where versions stood before there was Alembic
_FOUND = select(schema.alembic_version.c.version_num)


def bring_up(connection: Connection) -> None:
    """Make the tables if there are none, else bring them to the newest version: all or nothing.

    Raises StartupError for a version that this program does not know.
    """
    # Others may be there, too, of whoever shares the database.
    tables = {*schema.metadata.tables, _BEFORE}.intersection(inspect(connection).get_table_names())
    if not tables:
        schema.metadata.create_all(connection)
        stamp = insert(schema.alembic_version).values(version_num=schema.SCHEMA_VERSION)
        connection.execute(stamp)
        return
    is_known = schema.alembic_version.name in tables
    found = connection.scalar(_FOUND if is_known else text("SELECT version FROM schema_version"))
    if str(found).startswith(MOVING):
        raise StartupError(
            "it is being filled by 'cipherlens migrate', which has not ended: run that again"
        )
    if str(found) != schema.SCHEMA_VERSION:
        _upgrade(connection, str(found), is_known=is_known)


def check(connection: Connection) -> None:
    """Raise StartupError unless the tables are there, and of the newest version."""
    if schema.alembic_version.name not in inspect(connection).get_table_names():
        raise StartupError("it has no tables yet: start the server that leads first")
    found = connection.scalar(_FOUND)
    if str(found) != schema.SCHEMA_VERSION:
        raise _another(str(found))


def _upgrade(connection: Connection, found: str, *, is_known: bool) -> None:
    # Takes as long to import as a start takes otherwise, and is needed once in a folder's life.
    from alembic.util import CommandError

    from cipherlens.server.storage import migrations

    if not is_known and found != migrations.FIRST:
        raise _another(found)
    try:
        migrations.upgrade(connection, None if is_known else found)
    except CommandError as error:
        raise _another(found) from error
    _log.info("the data folder's schema was brought from %s to %s", found, schema.SCHEMA_VERSION)


def _another(found: str) -> StartupError:
    return StartupError(
        f"the data folder has schema version {found}, this program reads {schema.SCHEMA_VERSION} "
        "and what it can make it of"
    )
