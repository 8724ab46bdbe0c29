"""Open approvals to ask about, answers of HTTP flows by idempotency key, incidents; indexes to find them by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPEN = sa.text("outcome = '' AND instance_id <> ''")


def upgrade() -> None:
    """Create the tables and indexes."""
    op.create_table(
        "polls",
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name=op.f("fk_polls_delivery_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_polls")),
    )
    op.create_table(
        "answers",
        sa.Column("mapping", sa.String(length=80), nullable=False),
        sa.Column("flow", sa.String(length=60), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=40), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mapping", "flow", "key", name=op.f("pk_answers")),
    )
    op.create_index(op.f("ix_answers_started_at"), "answers", ["started_at"], unique=False)
    op.create_table(
        "incidents",
        sa.Column("key", sa.String(length=250), nullable=False),
        sa.Column("zh", sa.Text(), nullable=False),
        sa.Column("en", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_incidents")),
    )
    op.create_index(op.f("ix_inbox_connection_instance_id"), "inbox", ["connection", "instance_id"], unique=False)
    op.create_index(
        op.f("ix_deliveries_connection_instance_id"), "deliveries", ["connection", "instance_id"], unique=False
    )
    op.create_index(
        "ix_deliveries_open_approvals",
        "deliveries",
        ["opened_at"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_deliveries_open_approvals", "deliveries")
    op.drop_index(op.f("ix_deliveries_connection_instance_id"), "deliveries")
    op.drop_index(op.f("ix_inbox_connection_instance_id"), "inbox")
    for name in ("incidents", "answers", "polls"):
        op.drop_table(name)
