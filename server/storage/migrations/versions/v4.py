"""Version 4: items have tags to be filtered by."""

import sqlalchemy as sa
from alembic import op

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Add the columns, empty in every row: checksums of items without tags stay what they are."""
    op.add_column("items", sa.Column("tokens", sa.LargeBinary, nullable=True))
    op.add_column("items", sa.Column("sealed_tags", sa.LargeBinary, nullable=True))
