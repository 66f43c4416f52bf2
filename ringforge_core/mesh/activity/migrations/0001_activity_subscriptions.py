"""The tags that each agent follows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant

revision = "0001_activity_subscriptions"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "activity_subscriptions",
        sa.Column("tenant_id", sa.Text, primary_key=True),
        sa.Column("agent_id", sa.Text, primary_key=True),
        sa.Column("tag", sa.Text, primary_key=True),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("subscribed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    )


def downgrade() -> None:
    op.drop_table("activity_subscriptions")
