"""Who decided about a delivery whose outcome was unknown, when, and what; whether the source stopped showing it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("deliveries", sa.Column("decisions", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("left_source", sa.String(40), nullable=False, server_default=""))


def downgrade() -> None:
    """Drop the columns."""
    with op.batch_alter_table("deliveries") as table:
        table.drop_column("left_source")
        table.drop_column("decisions")
