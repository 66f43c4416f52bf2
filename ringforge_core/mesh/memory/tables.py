"""The entries, their former versions, and who follows which keys.

A deleted entry stays as a row without a value for a while, so that the versions of its key go on counting. Instants are
microseconds since 1970 UTC, as `Instant` keeps them, and JSON is text: a change has no need to understand either.
"""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin import Instant, Json, metadata

LIVING = sa.text("deleted_at IS NULL")
EXPIRING = sa.text("expires_at IS NOT NULL AND deleted_at IS NULL")
DELETED = sa.text("deleted_at IS NOT NULL")
UNINDEXED = sa.text("NOT indexed")

memory_entries = sa.Table(
    "memory_entries",
    metadata,
    sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text, nullable=False, comment="JSON text"),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False, comment="JSON text"),
    sa.Column("metadata", sa.Text, nullable=False, comment="JSON text"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("access_count", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.BigInteger, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("expires_at", sa.BigInteger),
    sa.Column("deleted_at", sa.BigInteger),
    sa.Column("indexed", sa.Boolean, nullable=False, comment="whether the index of words knows of the last change"),
    sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
    sa.UniqueConstraint("fleet_id", "key"),
    sa.Index(None, "fleet_id", "updated_at", sqlite_where=LIVING, postgresql_where=LIVING),
    sa.Index(None, "expires_at", sqlite_where=EXPIRING, postgresql_where=EXPIRING),
    sa.Index(None, "deleted_at", sqlite_where=DELETED, postgresql_where=DELETED),
    sa.Index(None, "fleet_id", sqlite_where=UNINDEXED, postgresql_where=UNINDEXED),
)

LIVING_BY_TENANT = (
    sa.select(memory_entries.c.tenant_id, sa.func.count())
    .where(memory_entries.c.deleted_at.is_(None))
    .group_by(memory_entries.c.tenant_id)
)

memory_history = sa.Table(
    "memory_history",
    metadata,
    sa.Column("fleet_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("value", sa.Text, nullable=False, comment="JSON text"),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False, comment="JSON text"),
    sa.Column("metadata", sa.Text, nullable=False, comment="JSON text"),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("updated_at", sa.BigInteger, nullable=False),
    sa.Column("deleted_at", sa.BigInteger),
    sa.ForeignKeyConstraint(["fleet_id", "key"], ["memory_entries.fleet_id", "memory_entries.key"], ondelete="CASCADE"),
)
"""What an entry was before its changes. Version `n` stands in slot `n` modulo the slots: old ones need no deletion."""

memory_subscriptions = sa.Table(
    "memory_subscriptions",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("pattern", sa.Text, primary_key=True),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("events", Json, nullable=False),
    sa.Column("subscribed_at", Instant, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
)
