"""The counters; the migration `0003_quotas_and_audit` makes their table."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin.schema import metadata

quota_counters = sa.Table(
    "quota_counters",
    metadata,
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("resource", sa.Text, primary_key=True),
    sa.Column("window", sa.Text, primary_key=True, comment="the UTC date of a daily resource, otherwise empty"),
    sa.Column("used", sa.BigInteger, nullable=False),
    sa.Column(
        "warned",
        sa.Integer,
        nullable=False,
        comment="bits of what was told: 80 %, 95 %, refused",
    ),
)

tenants = sa.table("tenants", sa.column("id", sa.Text), sa.column("plan", sa.Text))
"""As far as limits look into them."""
fleets = sa.table("fleets", sa.column("id", sa.Text), sa.column("tenant_id", sa.Text))
agent_sessions = sa.table(
    "agent_sessions", sa.column("tenant_id", sa.Text), sa.column("agent_id", sa.Text), sa.column("disconnected_at")
)
