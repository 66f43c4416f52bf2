"""Passkeys and their challenges."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.errors import PluginError
from ringforge_core.plugin import Instant, Json

revision = "0001_auth_passkeys"
down_revision = None


def upgrade() -> None:
    if not sa.inspect(op.get_bind()).has_table("users"):
        raise PluginError(
            "Passkeys belong to people, and this hub has none yet.",
            fix='Write "accounts" before "auth_passkeys" in [capabilities] use.',
        )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("credential_id", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("credential", sa.LargeBinary, nullable=False),
        sa.Column("party_id", sa.Text, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("synced", sa.Boolean, nullable=False),
        sa.Column("transports", Json, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.Column("used_at", Instant),
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"])
    op.create_table(
        "passkey_challenges",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("browser", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_passkey_challenges_expires_at", "passkey_challenges", ["expires_at"])


def downgrade() -> None:
    op.drop_table("passkey_challenges")
    op.drop_table("passkeys")
