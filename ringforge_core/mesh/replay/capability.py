"""The rules of replay."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import sqlalchemy as sa

from ringforge_core.errors import NotFound
from ringforge_core.mesh.past import fitting, payload_of
from ringforge_core.mesh.replay.cursor import decode_cursor, encode_cursor
from ringforge_core.mesh.replay.messages import ReplayResult, RequestReplay
from ringforge_core.plugin import AgentSession, Call, Capability, NoSettings, event, iso
from ringforge_core.ports.event_bus import ReplayFilter, Topic
from ringforge_core.store.tables import events

TOPIC = "activity"


class ReplayCapability(Capability[NoSettings]):
    name = "replay"

    @event("replay:request", rate="5/minute")
    async def request(self, call: Call, request: RequestReplay) -> ReplayResult:
        """Read the fleet's activities again, without those that went to other agents alone."""
        agent = call.agent
        since, until = _utc(request.since), _utc(request.until)
        query = ReplayFilter(
            viewer=agent.agent_id,
            since=since,
            until=until,
            kinds=request.kinds,
            tags=request.tags,
            agents=request.agents,
            after_seq=await self._begin(agent, request),
            limit=request.limit,
        )
        page = await self.hub.replay(Topic(agent.tenant_id, agent.fleet_id, TOPIC), query)
        taken = fitting(page.events)
        next_seq = page.next_seq if len(taken) == len(page.events) else taken[-1].seq
        return ReplayResult(
            events=[cast("dict[str, Any]", payload_of(each)) for each in taken],
            total=len(taken),
            since=None if since is None else iso(since),
            until=None if until is None else iso(until),
            next_cursor=None if next_seq is None else encode_cursor(next_seq),
        )

    async def _begin(self, agent: AgentSession, request: RequestReplay) -> int:
        """The `seq` after which to begin: what cursor and seen event name, whichever is later."""
        after_cursor = decode_cursor(request.cursor) if request.cursor else 0
        after_event = await self._seq_of(agent, request.after_event_id) if request.after_event_id else 0
        return max(after_cursor, after_event)

    async def _seq_of(self, agent: AgentSession, event_id: str) -> int:
        query = sa.select(events.c.seq).where(
            events.c.event_id == event_id,
            events.c.tenant_id == agent.tenant_id,
            events.c.fleet_id == agent.fleet_id,
        )
        seq: int | None = await self.hub.store.read(lambda connection: connection.execute(query).scalar())
        if seq is None:
            raise NotFound(
                "There is no such event in your fleet's log, or it is older than what is kept.",
                field="after_event_id",
                fix="Give an instant in from instead.",
            )
        return seq


def _utc(at: datetime | None) -> datetime | None:
    if at is None or at.tzinfo is not None:
        return at
    return at.replace(tzinfo=UTC)
