"""How the tables came to be what they are: a step from each version to the next, by Alembic."""

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FIRST = "2"
"""The version that had no Alembic yet."""


def upgrade(connection: Connection, found: str | None) -> None:
    """Bring the tables to the newest version, within the connection's transaction.

    found: the version that they have without Alembic's knowing it, None where it knows.

    Raises alembic.util.CommandError for a version that is not known here.
    """
    config = _config()
    config.attributes["connection"] = connection
    if found is not None:
        command.stamp(config, found)
    command.upgrade(config, "head")


def newest() -> str:
    """Return the newest version that there is a step to."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "cipherlens.server.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config
