"""The audit log; the migration `0003_quotas_and_audit` makes its tables.

They refer to no other table: what a tenant did outlives the tenant.
"""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin.schema import Instant, metadata

audit_logs = sa.Table(
    "audit_logs",
    metadata,
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

audit_heads = sa.Table(
    "audit_heads",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
"""The newest entry of each tenant, locked while the next ones are chained to it: hubs take turns, and a row that is
missing at the end is missed."""
