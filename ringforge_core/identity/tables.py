"""Who may be here: tenants, their fleets, the keys that open them, the agents, and when each agent was connected.

A row refers to its parent together with the tenant, so the database itself refuses a key or an agent of one tenant in a
fleet of another.
"""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin.schema import Instant, Json, metadata

STILL_OPEN = sa.text("disconnected_at IS NULL")

tenants = sa.Table(
    "tenants",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("handle", sa.Text, unique=True, comment="the operator's name for it; set by bootstrap, never by sign-up"),
    sa.Column("plan", sa.Text, nullable=False, server_default="free"),
    sa.Column("suspended_at", Instant, index=True),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("require_key_proof", sa.Boolean, nullable=False, server_default=sa.false()),
)

fleets = sa.Table(
    "fleets",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default="default"),
    sa.Column("description", sa.Text),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.UniqueConstraint("tenant_id", "name"),
    sa.UniqueConstraint("tenant_id", "id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("fleet_id", sa.Text, comment="null: the tenant's default fleet"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text),
    sa.Column("key_hash", sa.Text, nullable=False, unique=True),
    sa.Column("key_prefix", sa.Text, nullable=False),
    sa.Column("expires_at", Instant, index=True),
    sa.Column("revoked_at", Instant, index=True),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.CheckConstraint("kind IN ('live', 'test', 'admin')", name="kind"),
    # A key that outlived its fleet would widen to the default fleet: it goes with the fleet instead.
    sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
    sa.Index(None, "tenant_id", "inserted_at"),
)

agents = sa.Table(
    "agents",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("agent_id", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text),
    sa.Column("display_name", sa.Text),
    sa.Column("public_key", sa.LargeBinary, comment="Ed25519, 32 bytes"),
    sa.Column("auth_mode", sa.Text, nullable=False, server_default="registration"),
    sa.Column("framework", sa.Text),
    sa.Column("capabilities", Json, nullable=False, server_default=sa.text("'[]'")),
    sa.Column("tags", Json, nullable=False, server_default=sa.text("'[]'")),
    sa.Column("metadata", Json, nullable=False, server_default=sa.text("'{}'")),
    sa.Column("avatar_url", sa.Text),
    sa.Column("description", sa.Text),
    sa.Column("disabled_at", Instant, index=True),
    sa.Column("last_seen_at", Instant),
    sa.Column("total_connections", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("total_messages", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("registered_via_key_id", sa.Text, sa.ForeignKey("api_keys.id", ondelete="SET NULL"), index=True),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("fleet_admin", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("moved_at", Instant, index=True),
    # No action, not RESTRICT: a fleet with agents stays, yet its tenant can still be deleted as a whole.
    sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"]),
    sa.UniqueConstraint("fleet_id", "name"),  # nulls are distinct: a fleet has any number of nameless agents
    sa.UniqueConstraint("tenant_id", "agent_id"),
)

deleted_agents = sa.Table(
    "deleted_agents",
    metadata,
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("deleted_at", Instant, nullable=False, index=True),
    comment="so that every node closes the connections of a deleted agent",
)

challenges = sa.Table(
    "challenges",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("agent_id", sa.Text, nullable=False),
    sa.Column("nonce", sa.LargeBinary, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("issued_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    sa.Index(None, "tenant_id", "agent_id"),
)

deleted_fleets = sa.Table(
    "deleted_fleets",
    metadata,
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("fleet_id", sa.Text, primary_key=True),
    sa.Column("deleted_at", Instant, nullable=False),
    comment="whose memory, queues and events are still to be purged",
)

agent_sessions = sa.Table(
    "agent_sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("agent_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, sa.ForeignKey("fleets.id", ondelete="SET NULL")),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("ip_address", sa.Text),
    sa.Column("connected_at", Instant, nullable=False),
    sa.Column("disconnected_at", Instant),
    sa.Column("disconnect_reason", sa.Text),
    sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    sa.Index(None, "tenant_id", "agent_id", "connected_at"),
    sa.Index(None, "node", sqlite_where=STILL_OPEN, postgresql_where=STILL_OPEN),
)
