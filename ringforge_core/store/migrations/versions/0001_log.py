"""The log of each fleet, and the replies kept for idempotency keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant, Json

revision = "0001_log"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "fleet_logs",
        sa.Column("fleet_id", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("epoch", sa.Text, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("trimmed_seq", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("fleet_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text, nullable=False, unique=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("push", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text),
        sa.Column("agent_id", sa.Text),
        sa.Column("tags", Json),
        sa.Column("audience_agents", Json),
        sa.Column("audience_tags", Json),
    )
    op.create_table(
        "idempotency",
        sa.Column("tenant_id", sa.Text, primary_key=True),
        sa.Column("owner_id", sa.Text, primary_key=True),
        sa.Column("operation", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("reply", sa.LargeBinary),
        sa.Column("expires_at", Instant, nullable=False, index=True),
    )


def downgrade() -> None:
    op.drop_table("idempotency")
    op.drop_table("events")
    op.drop_table("fleet_logs")
