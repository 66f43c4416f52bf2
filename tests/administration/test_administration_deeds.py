"""What an operator does through the door: fleets, searches, once only, no faster than an agent, what needs care."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
import sqlalchemy as sa

from ringforge_core.errors import Backpressure, Conflict, InvalidPayload, LimitReached, NotFound
from ringforge_core.mesh.inbox.attention import WAITS_LONG
from ringforge_core.mesh.inbox.tables import letters
from ringforge_core.plugin.administration import Administration, Operator
from ringforge_core.plugin.records import Minute
from ringforge_core.ports.store import Transaction
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.phoenix_client import PhoenixClient
from ringforge_core.testkit.postgres import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="module")
RATES = {"RINGFORGE__LIMITS__UNLIMITED__EVENT_RATES": "declared", "RINGFORGE__LIMITS__UNLIMITED__FLEETS": "2"}


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["sqlite", "postgresql"])
async def hub(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TestHub]:
    store: dict[str, str] = {}
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres")
        store = {"RINGFORGE__STORE__URL": await server.new_database()}
    async with running_hub(tmp_path_factory.mktemp("hub"), settings=RATES | store) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def operator(hub: TestHub) -> Operator:
    """Of a tenant of their own."""
    return await somebody(hub)


async def somebody(hub: TestHub) -> Operator:
    keys = await hub.tenant(f"tenant-{datetime.now(UTC).timestamp()}")
    return Operator(tenant_id=keys.tenant_id, user_id="user-1", name="Olga")


def door(hub: TestHub) -> Administration:
    return hub.hub.administration


async def agent(hub: TestHub, operator: Operator, name: str, **more: object) -> PhoenixClient:
    key = await door(hub).create_key(operator, kind="live", fleet_id=await fleet_of(hub, operator))
    return PhoenixClient(hub.websocket_url, api_key=key.key, agent={"name": name, **more})


async def fleet_of(hub: TestHub, operator: Operator) -> str:
    return (await door(hub).fleets(operator.tenant_id))[0].id


async def test_fleets_are_made_renamed_and_deleted_within_the_plan(hub: TestHub, operator: Operator) -> None:
    first = await fleet_of(hub, operator)
    made = await door(hub).create_fleet(operator, "north")
    with pytest.raises(LimitReached):
        await door(hub).create_fleet(operator, "south")
    with pytest.raises(Conflict):
        await door(hub).rename_fleet(operator, first, "north")
    with pytest.raises(InvalidPayload):
        await door(hub).rename_fleet(operator, first, "a\nb")
    await door(hub).rename_fleet(operator, made.id, "far north")
    assert [each.name for each in await door(hub).fleets(operator.tenant_id)][1:] == ["far north"]
    stranger = await somebody(hub)
    for work in (door(hub).rename_fleet(stranger, made.id, "mine"), door(hub).delete_fleet(stranger, made.id)):
        with pytest.raises(NotFound):
            await work
    async with await agent(hub, operator, "ada") as ada:
        ada_id = (await ada.join())["agent_id"]
        assert (await door(hub).move_agent(operator, ada_id, made.id)).fleet_name == "far north"
    with pytest.raises(Conflict, match="has agents"):
        await door(hub).delete_fleet(operator, made.id)
    await door(hub).delete_agent(operator, ada_id)
    await door(hub).delete_fleet(operator, made.id)
    assert [each.id for each in await door(hub).fleets(operator.tenant_id)] == [first]


async def test_what_is_asked_for_twice_is_done_once(hub: TestHub, operator: Operator) -> None:
    fleet_id = await fleet_of(hub, operator)

    async def key(once: str) -> str:
        return (await door(hub).create_key(operator, kind="live", name="one", once=once)).key

    first, second, other = await asyncio.gather(key("a secret text"), key("a secret text"), key("another text"))
    assert first == second
    assert other != first
    assert len((await door(hub).keys(operator.tenant_id)).items) == len({first, other}) + 2  # the tenant's first two
    async with await agent(hub, operator, "ada") as ada:
        to = (await ada.join())["agent_id"]
        request = {"to": to, "message": {"text": "hello"}}
        sent = [await door(hub).say(operator, fleet_id, "direct:send", request, once="once only") for _ in range(2)]
        assert sent[0] == sent[1]
        history = await door(hub).say(operator, fleet_id, "direct:history", {"with": to})
        assert len(history["messages"]) == 1
        for _ in range(2):
            await door(hub).delete_agent(operator, to, once="away with it")
        with pytest.raises(NotFound):
            await door(hub).delete_agent(operator, to, once="and again")


async def test_a_person_has_the_rates_of_an_agent(hub: TestHub, operator: Operator) -> None:
    """`memory:set` may be sent 50 times a minute: by each person of a tenant, and not by all of the hub together."""
    fleet_id = await fleet_of(hub, operator)

    async def write(person: Operator, fleet_id: str) -> None:
        await door(hub).say(person, fleet_id, "memory:set", {"key": "note", "value": 1})

    with pytest.raises(LimitReached, match="At most 50"):
        await asyncio.gather(*(write(operator, fleet_id) for _ in range(55)))
    stranger = await somebody(hub)
    own = await fleet_of(hub, stranger)
    await write(stranger, own)


async def test_a_bus_that_does_not_keep_up_refuses_the_operator_too(
    hub: TestHub, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet_id = await fleet_of(hub, operator)
    monkeypatch.setattr(type(hub.hub.relay), "backlog", 1_000_000)
    with pytest.raises(Backpressure, match="does not keep up"):
        await door(hub).say(operator, fleet_id, "memory:set", {"key": "note", "value": 1})
    assert (await door(hub).say(operator, fleet_id, "memory:list", {}))["total"] == 0


async def test_agents_are_found_by_name_id_and_capability(hub: TestHub, operator: Operator) -> None:
    fleet_id = await fleet_of(hub, operator)
    async with (
        await agent(hub, operator, "Crawler_1", capabilities=["search"]) as one,
        await agent(hub, operator, "x") as two,
    ):
        one_id, two_id = (await one.join())["agent_id"], (await two.join())["agent_id"]

    async def found(search: str) -> list[str]:
        return [
            each.agent_id for each in (await door(hub).agents(operator.tenant_id, fleet_id=fleet_id, search=search)).items
        ]

    assert await found("crawler") == await found("SEARCH") == await found(one_id.upper()) == [one_id]
    assert await found("crawler%") == await found("r.1") == []  # a text, no pattern
    assert sorted(await found("")) == sorted([one_id, two_id])
    assert await door(hub).agent_names(operator.tenant_id, {one_id, "ag_unknown"}) == {one_id: "Crawler_1"}
    stranger = await somebody(hub)
    assert (await door(hub).agents(stranger.tenant_id, search="crawler")).items == []
    assert await door(hub).agent_names(stranger.tenant_id, {one_id}) == {}


async def test_the_pace_counts_events_and_messages(hub: TestHub, operator: Operator) -> None:
    fleet_id = await fleet_of(hub, operator)
    async with await agent(hub, operator, "ada") as ada:
        to = (await ada.join())["agent_id"]
        for _ in range(3):
            await door(hub).say(operator, fleet_id, "direct:send", {"to": to, "message": {"text": "hello"}})
        await ada.ok("activity:broadcast", {"kind": "custom", "description": "hello"})
    pace = await door(hub).pace(operator.tenant_id, fleet_id)
    assert [later.at - earlier.at for earlier, later in itertools.pairwise(pace)] == [timedelta(minutes=1)] * 59
    assert sum(each.messages for each in pace) == 3
    assert sum(each.events for each in pace) > 3
    assert all(each == Minute(each.at, 0, 0) for each in pace[:-3])
    with pytest.raises(NotFound):
        await door(hub).pace((await somebody(hub)).tenant_id, fleet_id)


async def test_what_needs_attention(hub: TestHub, operator: Operator) -> None:
    fleet_id, tenant_id = await fleet_of(hub, operator), operator.tenant_id
    async with await agent(hub, operator, "away") as away, await agent(hub, operator, "bad") as bad:
        away_id, bad_id = (await away.join())["agent_id"], (await bad.join())["agent_id"]
    quiet = await door(hub).attention(tenant_id, fleet_id)
    assert (quiet.blocked, quiet.ending_keys, quiet.concerns) == ([], [], [])
    await door(hub).kick_agent(operator, bad_id, block=True)
    for days in (3, 30):
        ends = datetime.now(UTC) + timedelta(days=days)
        await door(hub).create_key(operator, kind="live", name=f"{days} days", expires_at=ends)
    for _ in range(2):
        await door(hub).say(operator, fleet_id, "direct:send", {"to": away_id, "message": {"text": "hello"}})
    assert (await door(hub).attention(tenant_id, fleet_id)).concerns == []  # not for long
    await hub.hub.store.apply(make_older, tenant_id)
    found = await door(hub).attention(tenant_id, fleet_id)
    assert [each.agent_id for each in found.blocked] == [bad_id]
    assert [each.name for each in found.ending_keys] == ["3 days"]
    [waiting] = found.concerns
    assert (waiting.kind, waiting.agent_id, waiting.title) == ("messages_waiting", away_id, "away")
    assert waiting.text.endswith(": 2 wait")
    assert waiting.since is not None
    assert datetime.now(UTC) - waiting.since > WAITS_LONG
    with pytest.raises(NotFound):
        await door(hub).attention((await somebody(hub)).tenant_id, fleet_id)


def make_older(tx: Transaction, tenant_ids: Sequence[str]) -> list[None]:
    for tenant_id in tenant_ids:
        before = datetime.now(UTC) - WAITS_LONG - timedelta(minutes=1)
        tx.execute(sa.update(letters).where(letters.c.tenant_id == tenant_id).values(at=before))
    return [None] * len(tenant_ids)
