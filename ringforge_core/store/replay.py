"""Read the log back: the whole of `ReplayFilter`, in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from ringforge_core.ports.event_bus import Audience, Event, Replay, ReplayFilter
from ringforge_core.ports.store import FleetPosition
from ringforge_core.store.tables import events, fleet_logs

SLICE = 500
"""Fleets in one query."""


def read_position(connection: sa.Connection, tenant_id: str, fleet_id: str) -> FleetPosition | None:
    query = sa.select(fleet_logs).where(fleet_logs.c.tenant_id == tenant_id, fleet_logs.c.fleet_id == fleet_id)
    row = connection.execute(query).one_or_none()
    return FleetPosition(row.epoch, row.seq, row.trimmed_seq + 1) if row else None


def read_heads(connection: sa.Connection, fleet_ids: Sequence[str]) -> dict[str, int]:
    """The newest number of each fleet's log, for those that have one."""
    heads: dict[str, int] = {}
    for start in range(0, len(fleet_ids), SLICE):
        some = fleet_logs.c.fleet_id.in_(fleet_ids[start : start + SLICE])
        heads.update((row.fleet_id, row.seq) for row in connection.execute(sa.select(fleet_logs).where(some)))
    return heads


def read_events(connection: sa.Connection, tenant_id: str, fleet_id: str, query: ReplayFilter, topic: str | None) -> Replay:
    """One row more than the limit is fetched, to know whether another page follows."""
    scope = [events.c.tenant_id == tenant_id, events.c.fleet_id == fleet_id]
    if topic is not None:
        scope.append(events.c.topic == topic)
    order = events.c.seq.desc() if query.newest else events.c.seq
    found = connection.execute(
        sa.select(events, fleet_logs.c.epoch)
        .join(fleet_logs, fleet_logs.c.fleet_id == events.c.fleet_id)
        .where(*scope, *_conditions(query, connection.dialect.name))
        .order_by(order)
        .limit(query.limit + 1)
    ).all()
    page = [_event(row) for row in found[: query.limit]]
    if query.newest:
        return Replay(tuple(reversed(page)), None)
    return Replay(tuple(page), page[-1].seq if len(found) > query.limit else None)


def _conditions(query: ReplayFilter, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
    if query.after_seq:
        yield events.c.seq > query.after_seq
    if query.since is not None:
        yield events.c.at >= query.since
    if query.until is not None:
        yield events.c.at <= query.until
    if query.kinds:
        yield events.c.kind.in_(query.kinds)
    if query.agents:
        yield events.c.agent_id.in_(query.agents)
    if query.tags:
        yield _has_any(events.c.tags, query.tags, dialect)
    if query.viewer is not None:
        yield sa.or_(
            events.c.audience_agents.is_(sa.null()),
            events.c.agent_id == query.viewer,
            _has_any(events.c.audience_agents, (query.viewer,), dialect),
        )


def _has_any(array: sa.ColumnElement[Any], wanted: tuple[str, ...], dialect: str) -> sa.ColumnElement[bool]:
    """Whether a JSON array of texts holds any of these."""
    if dialect == "postgresql":
        element = sa.func.jsonb_array_elements_text(array).table_valued("value")
    else:
        element = sa.func.json_each(array).table_valued("value")
    return sa.exists(sa.select(1).select_from(element).where(element.c.value.in_(wanted)))


def _event(row: sa.Row[Any]) -> Event:
    return Event(
        event_id=row.event_id,
        tenant_id=row.tenant_id,
        fleet_id=row.fleet_id,
        topic=row.topic,
        push=row.push,
        body=msgspec.Raw(row.body.encode()),
        at=row.at,
        key=row.key,
        kind=row.kind,
        agent_id=row.agent_id,
        tags=tuple(row.tags or ()),
        audience=Audience(_texts(row.audience_agents), _texts(row.audience_tags)),
        epoch=row.epoch,
        seq=row.seq,
    )


def _texts(array: list[str] | None) -> tuple[str, ...] | None:
    return None if array is None else tuple(array)
