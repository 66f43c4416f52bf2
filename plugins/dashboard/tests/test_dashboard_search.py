"""Whoever looks for an agent finds it on the server, without a script, however many there are."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, expect

from ringforge_core.plugin.schema import metadata
from ringforge_core.ports.store import Transaction

pytestmark = pytest.mark.asyncio(loop_scope="module")
MANY = 250


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def crowd(shared_office: Office) -> AsyncIterator[None]:
    """Agents that were here before, more than any list shows."""
    await shared_office.hub.hub.store.apply(insert_many, shared_office.hub.keys)
    yield


def insert_many(tx: Transaction, commands: Sequence[object]) -> list[None]:
    at = datetime.now(UTC)
    for keys in commands:
        rows = [
            {
                "id": f"row-{number}", "tenant_id": keys.tenant_id, "fleet_id": keys.fleet_id,  # type: ignore[attr-defined]
                "agent_id": f"ag_{number:012}", "name": f"worker-{number}", "capabilities": ["search"],
                "inserted_at": at - timedelta(days=1, seconds=number), "updated_at": at,
            }
            for number in range(MANY)
        ]  # fmt: skip
        tx.execute(metadata.tables["agents"].insert(), rows)
    return [None] * len(commands)


def names(page: str) -> list[str]:
    return re.findall(r"worker-\d+|crawler", re.sub(r"<(script|datalist).*?</\1>", "", page, flags=re.DOTALL))


async def test_the_roster_is_searched_filtered_and_paged(shared_office: Office) -> None:
    owner, agents = shared_office.owner, "/dashboard/agents"
    async with shared_office.agent("crawler", capabilities=["browser"]) as crawler:
        crawler_id = (await crawler.join())["agent_id"]
        await crawler.ok("presence:update", {"state": "busy"})
        first = await owner.open(agents)
        older = re.findall(r'href="(/dashboard/agents\?cursor=[^"]+)"', first)[0]
        rest = await owner.open(older)
        assert "worker-0<" in first
        assert "worker-249<" not in first
        assert "worker-249<" in rest
        assert "worker-0<" not in rest
        assert set(names(await owner.open(f"{agents}?search=WORKER-249"))) == {"worker-249"}
        assert set(names(await owner.open(f"{agents}?search=ag_000000000007"))) == {"worker-7"}
        for query in ("search=browser", f"search={crawler_id}", "state=busy", "search=crawl&state=busy"):
            assert set(names(await owner.open(f"{agents}?{query}"))) == {"crawler"}, query
        assert "crawler" not in names(await owner.open(f"{agents}?state=offline"))
        assert "Nobody who is connected goes with this" in await owner.open(f"{agents}?state=away")
        assert "There is no such page of agents." in (await owner.client.get(f"{agents}?offset=x")).text


async def test_a_filtered_roster_lives_and_takes_nobody_else_in(shared_office: Office, shared_browser: Browser) -> None:
    window = await signed_in(shared_browser, shared_office.owner)
    async with shared_office.agent("crawler") as crawler:
        await crawler.join()
        tab = Tab(await window.new_page())
        await tab.page.goto("/dashboard/agents?search=crawler")
        await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
        async with shared_office.agent("other") as other:
            await other.join()
            await crawler.ok("presence:update", {"state": "busy", "task": "Reading"})
            await expect(tab.page.locator("#online")).to_have_text("2")
            await expect(tab.page.get_by_role("cell", name="Reading")).to_be_visible()
            await expect(tab.page.locator("#roster tr")).to_have_count(1)
    assert tab.complaints == []
    await window.close()


async def test_somebody_to_write_to_is_found(shared_office: Office) -> None:
    owner, messages = shared_office.owner, "/dashboard/messages"
    async with shared_office.agent("crawler") as crawler:
        await crawler.join()
        page = await owner.open(messages)
        assert names(page)[0] == "crawler"  # who is connected comes first
        assert page.count('<a class="row"') == 50
        assert "There are more: search for them." in page
    found = await owner.open(f"{messages}?search=worker-249")
    assert names(found.partition('<ul class="rows">')[2]) == ["worker-249"]
    assert "Nobody in this fleet goes with “no such”." in await owner.open(f"{messages}?search=no+such")


async def test_the_past_of_one_agent_is_asked_for_by_its_name(shared_office: Office) -> None:
    owner, activity = shared_office.owner, "/dashboard/activity"
    async with shared_office.agent("crawler") as crawler, shared_office.agent("other") as other:
        for each in (crawler, other):
            agent_id = (await each.join())["agent_id"]
            await each.ok("activity:broadcast", {"kind": "custom", "description": f"from {agent_id}"})
        mine = f"from {agent_id}"
        for who in ("other", "othe", agent_id):
            page = await owner.open(f"{activity}?agent={who}")
            assert (page.count("from ag_"), mine in page) == (1, True), who
        assert "There are several agents like worker." in await owner.open(f"{activity}?agent=worker", status=400)
        assert "There is no agent like nobody." in await owner.open(f"{activity}?agent=nobody", status=400)


async def test_names_of_old_agents_stand_where_they_wrote(shared_office: Office) -> None:
    """However many are newer."""
    administration = shared_office.hub.hub.administration
    found = await administration.agent_names(shared_office.hub.keys.tenant_id, [f"ag_{MANY - 1:012}"])
    assert found == {f"ag_{MANY - 1:012}": f"worker-{MANY - 1}"}
