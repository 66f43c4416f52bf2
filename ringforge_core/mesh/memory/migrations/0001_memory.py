"""The shared memory: entries, former versions, words, subscriptions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from ringforge_core.plugin.schema import Instant, Json

revision = "0001_memory"
down_revision = None


def upgrade() -> None:
    _create_entries()
    _create_history()
    _create_subscriptions()
    if op.get_bind().dialect.name == "postgresql":
        _create_words_on_postgresql()
    else:
        _create_words_on_sqlite()


def downgrade() -> None:
    op.execute("DROP TABLE memory_words")
    op.drop_table("memory_subscriptions")
    op.drop_table("memory_history")
    op.drop_table("memory_entries")


def _create_entries() -> None:
    op.create_table(
        "memory_entries",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False, comment="JSON text"),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False, comment="JSON text"),
        sa.Column("metadata", sa.Text, nullable=False, comment="JSON text"),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("access_count", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("deleted_at", sa.BigInteger),
        sa.Column("indexed", sa.Boolean, nullable=False, comment="whether the index of words knows of the last change"),
        sa.ForeignKeyConstraint(["tenant_id", "fleet_id"], ["fleets.tenant_id", "fleets.id"], ondelete="CASCADE"),
        sa.UniqueConstraint("fleet_id", "key"),
    )
    for columns, condition in (
        (["fleet_id", "updated_at"], "deleted_at IS NULL"),
        (["expires_at"], "expires_at IS NOT NULL AND deleted_at IS NULL"),
        (["deleted_at"], "deleted_at IS NOT NULL"),
        (["fleet_id"], "NOT indexed"),
    ):
        where = sa.text(condition)
        op.create_index(None, "memory_entries", columns, sqlite_where=where, postgresql_where=where)


def _create_history() -> None:
    op.create_table(
        "memory_history",
        sa.Column("fleet_id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("tenant_id", sa.Text, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False, comment="JSON text"),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False, comment="JSON text"),
        sa.Column("metadata", sa.Text, nullable=False, comment="JSON text"),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("deleted_at", sa.BigInteger),
        sa.ForeignKeyConstraint(["fleet_id", "key"], ["memory_entries.fleet_id", "memory_entries.key"], ondelete="CASCADE"),
    )


def _create_subscriptions() -> None:
    op.create_table(
        "memory_subscriptions",
        sa.Column("tenant_id", sa.Text, primary_key=True),
        sa.Column("agent_id", sa.Text, primary_key=True),
        sa.Column("pattern", sa.Text, primary_key=True),
        sa.Column("fleet_id", sa.Text, nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("subscribed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "agent_id"], ["agents.tenant_id", "agents.agent_id"], ondelete="CASCADE"),
    )


def _create_words_on_sqlite() -> None:
    """The words are split already; what deletes entries by itself, a fleet's end, takes their words along."""
    op.execute("CREATE VIRTUAL TABLE memory_words USING fts5(fleet, words, tokenize = 'ascii')")
    op.execute(
        "CREATE TRIGGER memory_entries_words AFTER DELETE ON memory_entries"
        " BEGIN DELETE FROM memory_words WHERE rowid = old.number; END"
    )


def _create_words_on_postgresql() -> None:
    op.create_table(
        "memory_words",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("words", postgresql.TSVECTOR, nullable=False),
        sa.ForeignKeyConstraint(["number"], ["memory_entries.number"], ondelete="CASCADE"),
    )
    op.create_index(None, "memory_words", ["words"], postgresql_using="gin")
