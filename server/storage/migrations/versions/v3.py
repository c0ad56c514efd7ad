"""Version 3: tombstones are found quickly, and purged by what is noted of when they came."""

import sqlalchemy as sa
from alembic import op

revision = "3"
down_revision = "2"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the notes and the index, and leave the version to Alembic."""
    op.create_table(
        "purge_marks",
        sa.Column("collection", _ROW_ID, sa.ForeignKey("collections.id"), primary_key=True),
        sa.Column("sequence", sa.BigInteger, primary_key=True),
        sa.Column("noted_at_us", sa.BigInteger, nullable=False),
    )
    op.create_index(
        "tombstones",
        "items",
        ["collection", "sequence"],
        sqlite_where=sa.text("deleted"),
        postgresql_where=sa.text("deleted"),
    )
    op.drop_table("schema_version")
