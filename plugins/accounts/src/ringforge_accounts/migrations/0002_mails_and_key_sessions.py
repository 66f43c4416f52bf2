"""Mails that wait to be sent, sessions of admin keys, who is kept out, and whether the encryption key is the right one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin import Instant

revision = "0002_mails_and_key_sessions"
down_revision = "0001_accounts"


def upgrade() -> None:
    op.add_column("users", sa.Column("disabled_at", Instant, comment="kept out by the operator"))
    op.create_table(
        "mails",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("sealed", sa.LargeBinary, nullable=False, comment="whom to and what: it lets people in"),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("claimed_by", sa.Text, comment="the node that sends it"),
        sa.Column("next_try_at", Instant, nullable=False, comment="of a claimed one: when the claim is over"),
        sa.Column("inserted_at", Instant, nullable=False),
    )
    op.create_index("ix_mails_next_try_at", "mails", ["next_try_at"])
    op.create_table(
        "sealing_checks",
        sa.Column("id", sa.Integer, primary_key=True, comment="there is one"),
        sa.Column("sealed", sa.LargeBinary, nullable=False, comment="a known text, under the key in use"),
        sa.CheckConstraint("id = 1", name="single"),
    )
    op.create_table(
        "key_sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("token_digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("key_id", sa.Text, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_key_sessions_expires_at", "key_sessions", ["expires_at"])


def downgrade() -> None:
    op.drop_table("key_sessions")
    op.drop_table("sealing_checks")
    op.drop_table("mails")
    op.drop_column("users", "disabled_at")
