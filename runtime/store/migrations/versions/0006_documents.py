"""A document's deliveries by whatever flow, to find the flow that has sent it."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_deliveries_document_key_source", "deliveries", ["document_key", "source"], unique=False)


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_deliveries_document_key_source", "deliveries")
