"""Promises 1 to 3 under `kill -9`, with memory, messages and groups at once; and the quota counters equal the rows."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from mixed_fleet import MixedFleet, assemble
from ringforge import Agent

from ringforge_core.limits import recount
from ringforge_core.limits.tables import quota_counters
from ringforge_core.mesh.activity.capability import TOPIC as ACTIVITY
from ringforge_core.mesh.direct.tables import direct_messages
from ringforge_core.mesh.groups.conversation import TOPIC as GROUP_MESSAGES
from ringforge_core.mesh.memory.tables import LIVING_BY_TENANT
from ringforge_core.mesh.memory.tables import memory_entries as entries
from ringforge_core.store import SqlStore
from ringforge_core.store.tables import events
from ringforge_core.testkit.hub_process import HubProcess, Keys

KILLS = 3
WORKERS = 8
BETWEEN_KILLS = 150
"""Acknowledged changes between two kills, so that each hits a hub in the midst of work."""


class Ledger(NamedTuple):
    """What the database holds, read while no hub runs."""

    seqs: list[int]
    messages: int
    entries: int
    counters: dict[str, int]
    recounted: dict[str, int]


async def read_ledger(store_url: str, keys: Keys) -> Ledger:
    store = SqlStore(store_url)
    await store.open()
    try:
        found = await store.read(lambda connection: _read(connection, keys))
        await recount(store, {"memory_entries": [LIVING_BY_TENANT]})
        recounted = await store.read(lambda connection: _counters(connection, keys))
    finally:
        await store.close()
    return found._replace(recounted=recounted)


def _read(connection: sa.Connection, keys: Keys) -> Ledger:
    def count(query: sa.Select[Any]) -> int:
        return connection.execute(sa.select(sa.func.count()).select_from(query.subquery())).scalar_one()

    of_fleet = events.c.tenant_id == keys.tenant_id, events.c.fleet_id == keys.fleet_id
    direct = count(sa.select(direct_messages.c.message_id).where(direct_messages.c.tenant_id == keys.tenant_id))
    posts = count(sa.select(events.c.seq).where(*of_fleet, events.c.topic.in_((GROUP_MESSAGES, ACTIVITY))))
    living = count(sa.select(entries.c.number).where(entries.c.tenant_id == keys.tenant_id, entries.c.deleted_at.is_(None)))
    seqs = connection.execute(sa.select(events.c.seq).where(*of_fleet).order_by(events.c.seq)).scalars().all()
    return Ledger(list(seqs), direct + posts, living, _counters(connection, keys), {})


def _counters(connection: sa.Connection, keys: Keys) -> dict[str, int]:
    """By resource; those of several days, should midnight pass, together."""
    used = sa.select(quota_counters.c.resource, sa.func.sum(quota_counters.c.used).label("used"))
    rows = connection.execute(used.where(quota_counters.c.tenant_id == keys.tenant_id).group_by(quota_counters.c.resource))
    return {row.resource: int(row.used) for row in rows}


@pytest.mark.timeout(240)
async def test_what_was_acknowledged_of_everything_at_once_is_there_once_over_kills(
    hub_process: HubProcess, store_url: str
) -> None:
    keys = await hub_process.bootstrap()
    async with AsyncExitStack() as stack:

        async def connect(name: str) -> Agent:
            options: dict[str, Any] = {"timeout": 120, "connect_timeout": 60, "key_directory": None}
            made = Agent(hub_process.websocket_url, api_key=keys.agent_key, name=name, **options)
            return await stack.enter_async_context(made)

        fleet = await assemble(connect, WORKERS)
        workers = fleet.workers
        async with fleet.at_work():
            for _ in range(KILLS):
                await progress(fleet)
                await hub_process.kill()
                check(await read_ledger(store_url, keys))
                latest = [worker.deeds[-3:] for worker in workers]
                await hub_process.start()
                await asyncio.gather(*(worker.repeat(deeds) for worker, deeds in zip(workers, latest, strict=True)))
            await progress(fleet)
            await fleet.finish()
            await asyncio.gather(*(worker.repeat(worker.deeds) for worker in workers))
            await fleet.check()
        await hub_process.kill()
        ledger = await read_ledger(store_url, keys)
        check(ledger)
        sent = sum(len(ids) for worker in workers for ids in worker.sent.values())
        assert ledger.messages == sent + sum(len(worker.posted) + len(worker.told) for worker in workers)
        told = {position.seq for position in fleet.witness.positions}
        assert told <= set(ledger.seqs)


async def progress(fleet: MixedFleet) -> None:
    enough = fleet.deeds + BETWEEN_KILLS
    await fleet.until(lambda: fleet.deeds >= enough)


def check(ledger: Ledger) -> None:
    """The log has no gap, and each counter says what a count of the rows says."""
    assert ledger.seqs == list(range(1, len(ledger.seqs) + 1))
    assert ledger.counters["messages_today"] == ledger.messages
    assert ledger.counters["memory_entries"] == ledger.entries
    assert ledger.recounted == ledger.counters, "a recount has nothing to set right"
