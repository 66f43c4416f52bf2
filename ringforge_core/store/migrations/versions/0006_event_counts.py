"""How many events each fleet had in each minute of the last hours."""

import sqlalchemy as sa
from alembic import op

revision = "0006_event_counts"
down_revision = "0005_nodes"


def upgrade() -> None:
    op.create_table(
        "event_counts",
        sa.Column("fleet_id", sa.Text, primary_key=True),
        sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("push", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("counted", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_event_counts_minute", "event_counts", ["minute"])
