"""Groups, their members, and who left a group that takes everybody in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant

revision = "0001_groups"
down_revision = None

IS_ACTIVE = sa.text("status = 'active'")
IS_OPEN_TO_ALL = sa.text("status = 'active' AND auto_join")
IS_ACTIVE_POD = sa.text("status = 'active' AND type = 'pod'")


def upgrade() -> None:
    op.create_table(
        "groups",
        sa.Column("id", sa.Text, primary_key=True, comment="a UUID; for a squad it is the squad_id"),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("group_id", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("created_by", sa.Text, comment="an agent, or null: made by administration, and then it stays when empty"),
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
    )
    op.create_index(
        "ix_groups_active_name", "groups", ["fleet_id", "name"], unique=True,
        sqlite_where=IS_ACTIVE, postgresql_where=IS_ACTIVE,
    )  # fmt: skip
    op.create_index("ix_groups_newest", "groups", ["tenant_id", "fleet_id", "status", "inserted_at"])
    op.create_index(
        "ix_groups_open_to_all", "groups", ["tenant_id", "fleet_id"],
        sqlite_where=IS_OPEN_TO_ALL, postgresql_where=IS_OPEN_TO_ALL,
    )  # fmt: skip
    op.create_index(
        "ix_groups_idle_pods", "groups", ["active_at"], sqlite_where=IS_ACTIVE_POD, postgresql_where=IS_ACTIVE_POD
    )
    op.create_index("ix_groups_dissolved_at", "groups", ["dissolved_at"])
    op.create_table(
        "group_members",
        sa.Column("group_row_id", sa.Text, primary_key=True),
        sa.Column("agent_id", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("joined_at", Instant, nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member')", name="role"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "fleet_id", "group_row_id"],
            ["groups.tenant_id", "groups.fleet_id", "groups.id"],
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    )
    op.create_index("ix_group_members_agent_id_tenant_id", "group_members", ["agent_id", "tenant_id"])
    op.create_table(
        "group_departures",
        sa.Column("group_row_id", sa.Text, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("agent_id", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("left_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
        comment="who left a group with auto_join, or was taken out of it: joining the hub does not bring these back in",
    )
    op.create_index("ix_group_departures_agent_id_tenant_id", "group_departures", ["agent_id", "tenant_id"])


def downgrade() -> None:
    op.drop_table("group_departures")
    op.drop_table("group_members")
    op.drop_table("groups")
