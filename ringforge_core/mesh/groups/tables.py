"""Groups and who is in them. `group_members` is the only place that says which agent is in which group."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin import Instant, metadata

IS_ACTIVE = sa.text("status = 'active'")
IS_OPEN_TO_ALL = sa.text("status = 'active' AND auto_join")
IS_ACTIVE_POD = sa.text("status = 'active' AND type = 'pod'")

groups = sa.Table(
    "groups",
    metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="a UUID; for a squad it is the squad_id"),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("group_id", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("created_by", sa.Text, comment="an agent, or null: made by administration, and then it stays when empty"),
    # As JSON texts, not JSON columns: nothing is searched in them, and a text keeps every value as it was sent.
    sa.Column("capabilities", sa.Text, nullable=False),
    sa.Column("settings", sa.Text, nullable=False),
    sa.Column("max_members", sa.Integer, nullable=False, comment="what settings say of it, and so is auto_join"),
    sa.Column("auto_join", sa.Boolean, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("result", sa.Text),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("active_at", Instant, nullable=False, comment="the last message or change of members"),
    sa.Column("dissolved_at", Instant),
    sa.CheckConstraint("type IN ('squad', 'pod', 'channel')", name="type"),
    sa.CheckConstraint("status IN ('active', 'dissolved')", name="status"),
    sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
    sa.UniqueConstraint("tenant_id", "fleet_id", "id"),
    sa.Index("ix_groups_active_name", "fleet_id", "name", unique=True, sqlite_where=IS_ACTIVE, postgresql_where=IS_ACTIVE),
    sa.Index("ix_groups_newest", "tenant_id", "fleet_id", "status", "inserted_at"),
    sa.Index(
        "ix_groups_open_to_all", "tenant_id", "fleet_id", sqlite_where=IS_OPEN_TO_ALL, postgresql_where=IS_OPEN_TO_ALL
    ),
    sa.Index("ix_groups_idle_pods", "active_at", sqlite_where=IS_ACTIVE_POD, postgresql_where=IS_ACTIVE_POD),
    sa.Index("ix_groups_dissolved_at", "dissolved_at"),
)

group_members = sa.Table(
    "group_members",
    metadata,
    sa.Column("group_row_id", sa.Text, primary_key=True),
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("joined_at", Instant, nullable=False),
    sa.CheckConstraint("role IN ('owner', 'admin', 'member')", name="role"),
    sa.ForeignKeyConstraint(
        ["tenant_id", "fleet_id", "group_row_id"], ["groups.tenant_id", "groups.fleet_id", "groups.id"], ondelete="CASCADE"
    ),
    sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    # The agent first: else the planner walks through all of a tenant's members to find those of a few groups.
    sa.Index(None, "agent_id", "tenant_id"),
)

group_departures = sa.Table(
    "group_departures",
    metadata,
    sa.Column("group_row_id", sa.Text, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("agent_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("left_at", Instant, nullable=False),
    sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    sa.Index(None, "agent_id", "tenant_id"),
    comment="who left a group with auto_join, or was taken out of it: joining the hub does not bring these back in",
)
