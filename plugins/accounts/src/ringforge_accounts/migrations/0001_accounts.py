"""People: accounts, memberships, sessions, one-time tokens, second factors, invitations, the waitlist."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from ringforge_core.plugin import Instant, Json

revision = "0001_accounts"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False, unique=True, comment="the e-mail as it is compared"),
        sa.Column("name", sa.Text),
        sa.Column("password_hash", sa.Text, comment="argon2id; null: signs in otherwise"),
        sa.Column("totp_secret", sa.LargeBinary, comment="sealed"),
        sa.Column("totp_pending", sa.LargeBinary, comment="sealed; not confirmed with a first code yet"),
        sa.Column("totp_step", sa.BigInteger, nullable=False, server_default="0", comment="of the last code that was used"),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
    )
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),
    )
    op.create_index("ix_memberships_user_id", "memberships", ["user_id"])
    op.create_table(
        "user_sessions",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("token_digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("address", sa.Text),
        sa.Column("browser", sa.Text),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_user_sessions_expires_at", "user_sessions", ["expires_at"])
    op.create_index("ix_user_sessions_user_id", "user_sessions", ["user_id"])
    op.create_table(
        "one_time_tokens",
        sa.Column("digest", sa.LargeBinary, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE")),
        sa.Column("data", Json, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_one_time_tokens_expires_at", "one_time_tokens", ["expires_at"])
    op.create_index("ix_one_time_tokens_user_id", "one_time_tokens", ["user_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("digest", sa.LargeBinary, primary_key=True),
    )
    op.create_table(
        "user_identities",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("email", sa.Text),
        sa.Column("inserted_at", Instant, nullable=False),
    )
    op.create_index("ix_user_identities_user_id", "user_identities", ["user_id"])
    op.create_table(
        "sign_in_attempts",
        sa.Column("state_digest", sa.LargeBinary, primary_key=True),
        sa.Column("adapter", sa.Text, nullable=False),
        sa.Column("visit_digest", sa.LargeBinary, nullable=False, comment="the browser that it began in"),
        sa.Column("kept", sa.LargeBinary, nullable=False, comment="what the adapter needs again; sealed"),
        sa.Column("next_path", sa.Text, nullable=False),
        sa.Column("invite", sa.LargeBinary, comment="digest of the invitation's code"),
        sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), comment="who links an identity"),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_sign_in_attempts_expires_at", "sign_in_attempts", ["expires_at"])
    op.create_index("ix_sign_in_attempts_user_id", "sign_in_attempts", ["user_id"])
    op.create_table(
        "invites",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
        sa.Column("code_digest", sa.LargeBinary, nullable=False, unique=True),
        sa.Column("hint", sa.Text, nullable=False, comment="the code's first letters, to tell invitations apart"),
        sa.Column("role", sa.Text, comment="null: the newcomer founds a tenant of their own"),
        sa.Column("email_key", sa.Text, comment="the only one who may use it"),
        sa.Column("max_uses", sa.Integer, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False, server_default="0"),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("inserted_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),
        sa.CheckConstraint("uses <= max_uses", name="uses"),
    )
    op.create_index("ix_invites_tenant_id_inserted_at", "invites", ["tenant_id", "inserted_at"])
    op.create_table(
        "waitlist",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("email_key", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text),
        sa.Column("approved_at", Instant),
        sa.Column("inserted_at", Instant, nullable=False),
    )
    op.create_table(
        "account_tries",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("subject", sa.LargeBinary, primary_key=True, comment="digest of an e-mail, a user's id or an address"),
        sa.Column("window", sa.BigInteger, primary_key=True, comment="number of the window since 1970"),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
    )
    op.create_index("ix_account_tries_expires_at", "account_tries", ["expires_at"])


def downgrade() -> None:
    op.drop_table("account_tries")
    op.drop_table("waitlist")
    op.drop_table("invites")
    op.drop_table("sign_in_attempts")
    op.drop_table("user_identities")
    op.drop_table("recovery_codes")
    op.drop_table("one_time_tokens")
    op.drop_table("user_sessions")
    op.drop_table("memberships")
    op.drop_table("users")
