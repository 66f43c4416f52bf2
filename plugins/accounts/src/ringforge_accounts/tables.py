"""What accounts keep: people, where they belong, their sessions, and what they were sent.

Of every secret that only has to be recognised (session cookies, links, codes) there is a digest; a second factor, which
has to be read, is sealed. Rows of a person who belongs to several tenants have no `tenant_id`; they are reached by the
person alone.
"""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin import Instant, Json, metadata

users = sa.Table(
    "users",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("email_key", sa.Text, nullable=False, unique=True, comment="the e-mail as it is compared"),
    sa.Column("name", sa.Text),
    sa.Column("password_hash", sa.Text, comment="argon2id; null: signs in otherwise"),
    sa.Column("totp_secret", sa.LargeBinary, comment="sealed"),
    sa.Column("totp_pending", sa.LargeBinary, comment="sealed; not confirmed with a first code yet"),
    sa.Column("disabled_at", Instant, comment="kept out by the operator"),
    sa.Column("totp_step", sa.BigInteger, nullable=False, server_default="0", comment="of the last code that was used"),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),
    sa.Index(None, "user_id"),
)

user_sessions = sa.Table(
    "user_sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("token_digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("browser", sa.Text),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.Index(None, "user_id"),
)

one_time_tokens = sa.Table(
    "one_time_tokens",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE")),
    sa.Column("data", Json, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.Index(None, "user_id"),
)

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
)

user_identities = sa.Table(
    "user_identities",
    metadata,
    sa.Column("provider", sa.Text, primary_key=True),
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("email", sa.Text),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Index(None, "user_id"),
)

sign_in_attempts = sa.Table(
    "sign_in_attempts",
    metadata,
    sa.Column("state_digest", sa.LargeBinary, primary_key=True),
    sa.Column("adapter", sa.Text, nullable=False),
    sa.Column("visit_digest", sa.LargeBinary, nullable=False, comment="the browser that it began in"),
    sa.Column("kept", sa.LargeBinary, nullable=False, comment="what the adapter needs again; sealed"),
    sa.Column("next_path", sa.Text, nullable=False),
    sa.Column("invite", sa.LargeBinary, comment="digest of the invitation's code"),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), comment="who links an identity"),
    sa.Column("expires_at", Instant, nullable=False, index=True),
    sa.Index(None, "user_id"),
)

invites = sa.Table(
    "invites",
    metadata,
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
    sa.Index(None, "tenant_id", "inserted_at"),
)

waitlist = sa.Table(
    "waitlist",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("email", sa.Text, nullable=False),
    sa.Column("email_key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text),
    sa.Column("approved_at", Instant),
    sa.Column("inserted_at", Instant, nullable=False),
)

account_tries = sa.Table(
    "account_tries",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("subject", sa.LargeBinary, primary_key=True, comment="digest of an e-mail, a user's id or an address"),
    sa.Column("window", sa.BigInteger, primary_key=True, comment="number of the window since 1970"),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

mails = sa.Table(
    "mails",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False, comment="whom to and what: it lets people in"),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("claimed_by", sa.Text, comment="the node that sends it"),
    sa.Column("next_try_at", Instant, nullable=False, index=True, comment="of a claimed one: when the claim is over"),
    sa.Column("inserted_at", Instant, nullable=False),
)

sealing_checks = sa.Table(
    "sealing_checks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, comment="there is one"),
    sa.Column("sealed", sa.LargeBinary, nullable=False, comment="a known text, under the key in use"),
    sa.CheckConstraint("id = 1", name="single"),
)

key_sessions = sa.Table(
    "key_sessions",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("token_digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("key_id", sa.Text, sa.ForeignKey("api_keys.id", ondelete="CASCADE"), nullable=False),
    sa.Column("tenant_id", sa.Text, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)

api_keys = sa.table(
    "api_keys", sa.column("id"), sa.column("kind"), sa.column("name"), sa.column("key_prefix"), sa.column("revoked_at"),
    sa.column("expires_at", Instant),
)  # fmt: skip
"""Core's table, as far as the session of a key sees it."""

tenants = sa.table(
    "tenants", sa.column("id"), sa.column("name"), sa.column("handle"), sa.column("suspended_at"), sa.column("inserted_at")
)
"""Core's table, as far as people see it. `handle` is set for a tenant of those who run the hub."""
