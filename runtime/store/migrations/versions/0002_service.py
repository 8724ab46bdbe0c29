"""What the service keeps: AppCodes of HTTP flows, and which version of each mapping is in force."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "appcodes",
        sa.Column("mapping", sa.String(length=80), nullable=False),
        sa.Column("flow", sa.String(length=60), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mapping", "flow", name=op.f("pk_appcodes")),
    )
    op.create_table(
        "live_mappings",
        sa.Column("mapping", sa.String(length=120), nullable=False),
        sa.Column("digest", sa.String(length=80), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("next_runs", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mapping", name=op.f("pk_live_mappings")),
    )


def downgrade() -> None:
    """Drop the tables."""
    op.drop_table("live_mappings")
    op.drop_table("appcodes")
