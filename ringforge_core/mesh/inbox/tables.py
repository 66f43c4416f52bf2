"""Letters, and a row for each agent that a letter still waits for: one letter to many agents is kept once."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin import Instant, metadata

CLAIMED = sa.text("claimed_until IS NOT NULL")

letters = sa.Table(
    "inbox_letters",
    metadata,
    sa.Column("message_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("push", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False, comment="the push as it goes over the wire"),
    sa.Column("size", sa.Integer, nullable=False, comment="bytes of the body"),
    sa.Column("receipt_to", sa.Text, comment="the agent that is told what became of it"),
    sa.Column("at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
)

entries = sa.Table(
    "inbox_entries",
    metadata,
    # Numbers are never used again: what a slow settlement still names must not be another message meanwhile.
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("agent_id", sa.Text, nullable=False),
    sa.Column("message_id", sa.Text, sa.ForeignKey(letters.c.message_id, ondelete="CASCADE"), nullable=False),
    sa.Column("ack", sa.Boolean, nullable=False, comment="stays until the agent acknowledges it"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("claimed_by", sa.Text, comment="<node>/<process>"),
    sa.Column("claimed_until", Instant),
    sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    sa.UniqueConstraint("message_id", "agent_id"),
    sa.Index(None, "tenant_id", "fleet_id", "agent_id", "position"),
    sa.Index(None, "claimed_until", sqlite_where=CLAIMED, postgresql_where=CLAIMED),
    sqlite_autoincrement=True,
)
