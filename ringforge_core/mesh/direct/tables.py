"""The messages that were accepted, each conversation in its order."""

from __future__ import annotations

import sqlalchemy as sa

from ringforge_core.plugin import Instant, metadata

direct_messages = sa.Table(
    "direct_messages",
    metadata,
    sa.Column("position", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("message_id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("fleet_id", sa.Text, nullable=False),
    sa.Column("conversation", sa.Text, nullable=False, comment="the ids of the two, sorted, with a space between"),
    sa.Column("sender_id", sa.Text, nullable=False),
    sa.Column("recipient_id", sa.Text, nullable=False),
    sa.Column("envelope", sa.Text, nullable=False, comment="the message as the history shows it, JSON"),
    sa.Column("size", sa.Integer, nullable=False, comment="bytes of the envelope"),
    sa.Column("status", sa.Text, nullable=False, comment="what the sender was answered"),
    sa.Column("at", Instant, nullable=False),
    sa.Column("read_at", Instant),
    sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
    sa.Index(None, "tenant_id", "fleet_id", "conversation", "position"),
    sa.Index(None, "tenant_id", "at"),
)


def conversation_of(one: str, other: str) -> str:
    """The same for both sides. Agent ids have no spaces, so no other pair has it."""
    return " ".join(sorted((one, other)))
