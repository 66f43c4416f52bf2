"""What each tenant has used of its plan, and the audit log with the heads of its chains."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant

revision = "0003_quotas_and_audit"
down_revision = "0002_identity"


def upgrade() -> None:
    op.create_table(
        "quota_counters",
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
    op.create_table(
        "audit_logs",
        sa.Column("tenant_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("actor_type", sa.Text, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=False),
        sa.Column("target_type", sa.Text),
        sa.Column("target_id", sa.Text),
        sa.Column("ip_address", sa.Text),
        sa.Column("metadata", sa.Text, nullable=False, comment="JSON, as it was hashed"),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_table(
        "audit_heads",
        sa.Column("tenant_id", sa.Text, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("audit_heads")
    op.drop_table("audit_logs")
    op.drop_table("quota_counters")
