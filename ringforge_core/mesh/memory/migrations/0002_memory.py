"""Entries are found by any part of their words: an index of grams in place of one of words. It is filled anew."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002_memory"
down_revision = "0001_memory"


def upgrade() -> None:
    op.execute("DROP TABLE memory_words")
    if op.get_bind().dialect.name == "postgresql":
        _create(sa.Column("words", sa.Text, nullable=False), sa.Column("grams", postgresql.ARRAY(sa.Text), nullable=False))
        op.create_index(None, "memory_words", ["grams"], postgresql_using="gin")
    else:
        op.execute("CREATE VIRTUAL TABLE memory_words USING fts5(fleet, words, tokenize = 'trigram case_sensitive 1')")
    op.execute("UPDATE memory_entries SET indexed = false")


def downgrade() -> None:
    op.execute("DROP TABLE memory_words")
    if op.get_bind().dialect.name == "postgresql":
        _create(sa.Column("words", postgresql.TSVECTOR, nullable=False))
        op.create_index(None, "memory_words", ["words"], postgresql_using="gin")
    else:
        op.execute("CREATE VIRTUAL TABLE memory_words USING fts5(fleet, words, tokenize = 'ascii')")
    op.execute("UPDATE memory_entries SET indexed = false")


def _create(*columns: sa.Column[str] | sa.Column[list[str]]) -> None:
    """Rows are numbered as the entries, and go with them; on SQLite a trigger of the first migration sees to that."""
    op.create_table(
        "memory_words",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        *columns,
        sa.ForeignKeyConstraint(["number"], ["memory_entries.number"], ondelete="CASCADE"),
    )
