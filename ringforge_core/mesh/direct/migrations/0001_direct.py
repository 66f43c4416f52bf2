"""The messages that were accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant

revision = "0001_direct"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "direct_messages",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("message_id", sa.Text, nullable=False, unique=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("conversation", sa.Text, nullable=False, comment="the ids of the two, sorted, with a space between"),
        sa.Column("sender_id", sa.Text, nullable=False),
        sa.Column("recipient_id", sa.Text, nullable=False),
        sa.Column("envelope", sa.Text, nullable=False, comment="the message as the history shows it, JSON"),
        sa.Column("size", sa.Integer, nullable=False, comment="bytes of the envelope"),
        sa.Column("status", sa.Text, nullable=False, comment="what the sender was answered"),
        sa.Column("at", Instant, nullable=False, index=True),
        sa.Column("read_at", Instant),
        sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
    )
    op.create_index(None, "direct_messages", ["tenant_id", "fleet_id", "conversation", "position"])


def downgrade() -> None:
    op.drop_table("direct_messages")
