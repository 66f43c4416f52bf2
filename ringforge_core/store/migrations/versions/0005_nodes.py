"""The hubs that share the database, and which events each of them still has to hand to the bus."""

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin.schema import Instant

revision = "0005_nodes"
down_revision = "0004_challenges"


def upgrade() -> None:
    op.create_table(
        "nodes",
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
    op.create_table(
        "event_bus_in_use",
        sa.Column("name", sa.Text, primary_key=True),
    )
    op.create_table(
        "outbox",
        sa.Column("fleet_id", sa.Text, primary_key=True),
        sa.Column("first_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("node", sa.Text, nullable=False, index=True),
    )
