"""Live entries are what a tenant is charged for, in all its fleets together; whatever removes one gives it back."""

from __future__ import annotations

import asyncio

import pytest
from mesh_fleet import Fleet

from ringforge_core.limits import LimitsSettings, Quotas, read_usage
from ringforge_core.testkit.hub import TestHub

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {
    "RINGFORGE__CAPABILITIES__MEMORY__SWEEP_SECONDS": "0.1",
    "RINGFORGE__LIMITS__UNLIMITED__MEMORY_ENTRIES": "5",
}


async def used(hub: TestHub, fleet: Fleet) -> int:
    usage = await read_usage(hub.hub.store, Quotas(LimitsSettings()), fleet.keys.tenant_id)
    return usage.usage["memory_entries"].used


async def test_d58_live_entries_are_counted(hub: TestHub, fleet: Fleet, sister_fleet: Fleet) -> None:
    agent, _ = await fleet.join("agent")
    sister, _ = await sister_fleet.join("sister")
    for number in range(3):
        await agent.ok("memory:set", {"key": f"k{number}"})
        await agent.ok("memory:set", {"key": f"k{number}", "value": "changed"})
    await sister.ok("memory:set", {"key": "k0"})
    await agent.refused("memory:set", {"key": "new", "if_version": 7})
    await agent.refused("memory:delete", {"key": "new"})
    assert await used(hub, fleet) == 4
    await agent.ok("memory:delete", {"key": "k1"})
    assert await used(hub, fleet) == 3
    await agent.ok("memory:subscribe", {"pattern": "*"})
    await agent.ok("memory:set", {"key": "k2", "ttl": 1})
    await agent.expect(lambda m: m.event == "memory:changed" and m.payload["payload"]["action"] == "delete")
    assert await used(hub, fleet) == 2


async def test_d58_the_limit_is_exact_and_a_refusal_changes_nothing(hub: TestHub, fleet: Fleet) -> None:
    agents = [(await fleet.join(f"agent-{number}"))[0] for number in range(4)]
    await agents[0].ok("memory:subscribe", {"pattern": "*"})
    requests = [(agent, f"k{number}") for number in range(3) for agent in agents]
    answers = await asyncio.gather(
        *(agent.call("memory:set", {"key": f"{key}-{place}"}) for place, (agent, key) in enumerate(requests))
    )
    refused = [answer.response for answer in answers if answer.status == "error"]
    assert [(error["reason"], error["resource"]) for error in refused] == [("quota_exceeded", "memory_entries")] * 7
    entries = (await agents[0].ok("memory:list"))["payload"]["entries"]
    assert len(entries) == await used(hub, fleet) == 5
    await agents[0].ok("memory:set", {"key": entries[0]["key"], "value": "a change is no new entry"})
    await agents[0].ok("memory:delete", {"key": entries[0]["key"]})
    await agents[0].ok("memory:set", {"key": "room again"})
    await agents[0].expect(lambda m: m.event == "memory:changed" and m.payload["payload"]["key"] == "room again")
    assert len(agents[0].pushes("memory:changed")) == 5 + 3
