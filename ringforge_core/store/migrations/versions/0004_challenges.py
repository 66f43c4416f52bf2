"""Ed25519 challenges, what an agent may do with fleets, and notes of what moved or is to be purged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant

revision = "0004_challenges"
down_revision = "0003_quotas_and_audit"


def upgrade() -> None:
    op.add_column("tenants", sa.Column("require_key_proof", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("agents", sa.Column("fleet_admin", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("agents", sa.Column("moved_at", Instant))
    op.create_index(None, "agents", ["moved_at"])
    op.create_table(
        "challenges",
        sa.Column("id", sa.Text, primary_key=True),
        _tenant(),
        sa.Column("agent_id", sa.Text, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("issued_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False, index=True),
        sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    )
    op.create_index(None, "challenges", ["tenant_id", "agent_id"])
    op.create_table(
        "deleted_fleets",
        _tenant(primary_key=True),
        sa.Column("fleet_id", sa.Text, primary_key=True),
        sa.Column("deleted_at", Instant, nullable=False),
        comment="whose memory, queues and events are still to be purged",
    )


def downgrade() -> None:
    op.drop_table("deleted_fleets")
    op.drop_table("challenges")
    op.drop_index("ix_agents_moved_at", "agents")
    op.drop_column("agents", "moved_at")
    op.drop_column("agents", "fleet_admin")
    op.drop_column("tenants", "require_key_proof")


def _tenant(*, primary_key: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("tenants.id", ondelete="CASCADE")
    return sa.Column("tenant_id", sa.Text, owner, primary_key=primary_key, nullable=False)
