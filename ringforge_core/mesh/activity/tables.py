"""The tags that each agent follows; they outlive its connections."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin import Instant, metadata

activity_subscriptions = sa.Table(
    "activity_subscriptions",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("subscribed_at", Instant, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
)
