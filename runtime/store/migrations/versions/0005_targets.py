"""Which record an update writes into, to find every write into the same one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_KNOWN = sa.text("target <> ''")


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("effects", sa.Column("target", sa.String(length=300), server_default="", nullable=False))
    op.create_index(
        "ix_effects_target", "effects", ["target"], unique=False, sqlite_where=_KNOWN, postgresql_where=_KNOWN
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_effects_target", "effects")
    with op.batch_alter_table("effects") as batch:
        batch.drop_column("target")
