"""Tenants, fleets, API keys, agents and their sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant, Json

revision = "0002_identity"
down_revision = "0001_log"

STILL_OPEN = sa.text("disconnected_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("handle", sa.Text, unique=True, comment="the operator's name for it; set by bootstrap, never by sign-up"),
        sa.Column("plan", sa.Text, nullable=False, server_default="free"),
        sa.Column("suspended_at", Instant, index=True),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
    )
    op.create_table(
        "fleets",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
        sa.Column("name", sa.Text, nullable=False, server_default="default"),
        sa.Column("description", sa.Text),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.UniqueConstraint("tenant_id", "name"),
        sa.UniqueConstraint("tenant_id", "id"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
        sa.Column("fleet_id", sa.Text, comment="null: the tenant's default fleet"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("key_hash", sa.Text, nullable=False, unique=True),
        sa.Column("key_prefix", sa.Text, nullable=False),
        sa.Column("expires_at", Instant, index=True),
        sa.Column("revoked_at", Instant, index=True),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.CheckConstraint("kind IN ('live', 'test', 'admin')", name="kind"),
        sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
    )
    op.create_index(None, "api_keys", ["tenant_id", "inserted_at"])
    op.create_table(
        "agents",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
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
        sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"]),
        sa.UniqueConstraint("fleet_id", "name"),
        sa.UniqueConstraint("tenant_id", "agent_id"),
    )
    op.create_table(
        "deleted_agents",
        _tenant(primary_key=True),
        sa.Column("agent_id", sa.Text, primary_key=True),
        sa.Column("deleted_at", Instant, nullable=False, index=True),
        comment="so that every node closes the connections of a deleted agent",
    )
    op.create_table(
        "agent_sessions",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("fleet_id", sa.Text, sa.ForeignKey("fleets.id", ondelete="SET NULL")),
        sa.Column("node", sa.Text, nullable=False),
        sa.Column("ip_address", sa.Text),
        sa.Column("connected_at", Instant, nullable=False),
        sa.Column("disconnected_at", Instant),
        sa.Column("disconnect_reason", sa.Text),
        sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    )
    op.create_index(None, "agent_sessions", ["tenant_id", "agent_id", "connected_at"])
    op.create_index(None, "agent_sessions", ["node"], sqlite_where=STILL_OPEN, postgresql_where=STILL_OPEN)


def downgrade() -> None:
    for table in ("agent_sessions", "deleted_agents", "agents", "api_keys", "fleets", "tenants"):
        op.drop_table(table)


def _tenant(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("tenants.id", ondelete="CASCADE")
    return sa.Column("tenant_id", sa.Text, owner, primary_key=primary_key, nullable=False)
