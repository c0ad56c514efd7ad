"""Version 2, the first that Alembic knows: an older folder is refused."""

revision = "2"
down_revision = None


def upgrade() -> None:
    """Change nothing: these tables are there."""
