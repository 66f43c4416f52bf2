"""Two hubs on one PostgreSQL: the rules hold between them, too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from group_fleet import GroupFleet

from ringforge_core.identity import Bootstrap, bootstrap
from ringforge_core.testkit.hub import running_hub
from ringforge_core.testkit.postgres import PostgresServer


@pytest.fixture
async def fleets(postgres: PostgresServer, tmp_path: Path) -> AsyncIterator[tuple[GroupFleet, GroupFleet]]:
    """One fleet, on two hubs."""
    url = await postgres.new_database()
    async with AsyncExitStack() as stack:
        found: list[GroupFleet] = []
        keys: Bootstrap | None = None
        for node in ("node-1", "node-2"):
            settings = {"RINGFORGE__STORE__URL": url, "RINGFORGE__HUB__NODE": node}
            hub = await stack.enter_async_context(running_hub(tmp_path / node, settings=settings))
            keys = keys or await bootstrap(hub.hub.store, tenant=str(uuid4()))
            found.append(GroupFleet(hub, keys, stack))
        yield found[0], found[1]


async def test_joins_on_two_hubs_fill_a_group_exactly(fleets: tuple[GroupFleet, GroupFleet]) -> None:
    owner = await fleets[0].join("owner")
    group_id = await owner.create("crowded", settings={"max_members": 12})
    agents = await asyncio.gather(*(fleets[number % 2].join(f"agent-{number}") for number in range(40)))
    answers = await asyncio.gather(*(agent.client.call("group:join", {"group_id": group_id}) for agent in agents))
    accepted = {agent.id for agent, answer in zip(agents, answers, strict=True) if answer.status == "ok"}
    assert len(accepted) == 11
    assert set(await owner.roles(group_id)) == {owner.id, *accepted}


async def test_of_creates_of_one_name_on_two_hubs_one_succeeds(fleets: tuple[GroupFleet, GroupFleet]) -> None:
    agents = await asyncio.gather(*(fleets[number % 2].join(f"agent-{number}") for number in range(8)))
    for round_ in range(5):
        fields = {"name": f"round {round_}", "invite": [agent.id for agent in agents]}
        answers = await asyncio.gather(*(agent.client.call("group:create", fields) for agent in agents))
        assert sorted(answer.status for answer in answers) == ["error"] * 7 + ["ok"]
        assert {answer.response["reason"] for answer in answers if answer.status == "error"} == {"name_taken"}


async def test_owners_that_leave_on_two_hubs_at_once_leave_a_group_with_an_owner(
    fleets: tuple[GroupFleet, GroupFleet],
) -> None:
    stays = await fleets[0].join("stays")
    agents = await asyncio.gather(*(fleets[number % 2].join(f"agent-{number}") for number in range(6)))
    for round_ in range(5):
        group_id = await agents[0].create(f"round {round_}", invite=[stays.id, *(agent.id for agent in agents)])
        for agent in agents[1:]:
            await agents[0].ok("set_role", group_id=group_id, agent_id=agent.id, role="owner")
        await asyncio.gather(*(agent.ok("leave", group_id=group_id) for agent in agents))
        assert await stays.roles(group_id) == {stays.id: "owner"}
