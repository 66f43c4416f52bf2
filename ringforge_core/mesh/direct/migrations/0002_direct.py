"""Old messages are looked for tenant by tenant: each plan keeps them for its own time."""

from __future__ import annotations

from alembic import op

revision = "0002_direct"
down_revision = "0001_direct"

TABLE = "direct_messages"


def upgrade() -> None:
    op.create_index(None, TABLE, ["tenant_id", "at"])
    op.drop_index("ix_direct_messages_at", TABLE)


def downgrade() -> None:
    op.create_index(None, TABLE, ["at"])
    op.drop_index("ix_direct_messages_tenant_id_at", TABLE)
