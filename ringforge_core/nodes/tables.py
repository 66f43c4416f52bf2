"""The table of hubs; the migration `0005_nodes` makes it."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin.schema import Instant, metadata

nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("instance", sa.Text, nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("connections", sa.BigInteger, nullable=False),
    sa.Column("draining", sa.Boolean, nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
)
"""`instance` is new at each start, `beat` grows with each sign of life: no clocks are compared between hosts."""
