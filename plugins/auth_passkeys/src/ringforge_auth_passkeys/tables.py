"""What is kept: public keys, and the challenges that wait for an answer. A passkey belongs to a person, in all tenants."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin import Instant, Json, metadata

passkeys = sa.Table(
    "passkeys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Text, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("credential_id", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("credential", sa.LargeBinary, nullable=False, comment="attested credential data: the public key is in it"),
    sa.Column("party_id", sa.Text, nullable=False, comment="the id of the relying party that it was made for"),
    sa.Column("sign_count", sa.BigInteger, nullable=False),
    sa.Column("synced", sa.Boolean, nullable=False, comment="its provider keeps copies of it"),
    sa.Column("transports", Json, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("inserted_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
    sa.Index(None, "user_id"),
)

challenges = sa.Table(
    "passkey_challenges",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("browser", sa.LargeBinary, nullable=False, comment="digest of the secret of the browser that got it"),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)
