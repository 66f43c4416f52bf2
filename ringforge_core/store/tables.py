"""The tables of the log and of idempotency; the migration `0001_log` makes them."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from ringforge_core.plugin.schema import Instant, metadata

_Texts = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
"""A JSON array of texts, or NULL."""

fleet_logs = sa.Table(
    "fleet_logs",
    metadata,
    sa.Column("fleet_id", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("epoch", sa.Text, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("trimmed_seq", sa.BigInteger, nullable=False),
)
"""One row a fleet: the newest number given out, and the newest one that was trimmed away."""

events = sa.Table(
    "events",
    metadata,
    sa.Column("fleet_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("push", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("key", sa.Text, nullable=False),
    sa.Column("kind", sa.Text),
    sa.Column("agent_id", sa.Text),
    sa.Column("tags", _Texts),
    sa.Column("audience_agents", _Texts),
    sa.Column("audience_tags", _Texts),
)
"""The log. `body` is the JSON text as it goes to clients."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("fleet_id", sa.Text, primary_key=True),
    sa.Column("first_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("node", sa.Text, nullable=False, index=True),
)
"""What a bus outside of the store has not got yet: from which number to which one, and the hub that hands it over."""

event_counts = sa.Table(
    "event_counts",
    metadata,
    sa.Column("fleet_id", sa.Text, primary_key=True),
    sa.Column("minute", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    sa.Column("push", sa.Text, primary_key=True),
    sa.Column("tenant_id", sa.Text, nullable=False),
    sa.Column("counted", sa.BigInteger, nullable=False),
)
"""How many events a fleet had in a minute, counted from 1970 on; see the module `event_counts`."""

event_bus_in_use = sa.Table("event_bus_in_use", metadata, sa.Column("name", sa.Text, primary_key=True))
"""One row: the bus that the outbox is for."""

idempotency = sa.Table(
    "idempotency",
    metadata,
    sa.Column("tenant_id", sa.Text, primary_key=True),
    sa.Column("owner_id", sa.Text, primary_key=True),
    sa.Column("operation", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
    sa.Column("reply", sa.LargeBinary),
    sa.Column("expires_at", Instant, nullable=False, index=True),
)
