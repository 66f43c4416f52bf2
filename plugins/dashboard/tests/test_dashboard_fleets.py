"""Fleets are made, renamed, deleted; agents move between them; a person with several finds what they look for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")
FLEETS = "/dashboard/fleets"


@pytest_asyncio.fixture(loop_scope="module")
async def tab(shared_office: Office, shared_browser: Browser) -> AsyncIterator[Tab]:
    window = await signed_in(shared_browser, shared_office.owner)
    yield Tab(await window.new_page())
    await window.close()


async def fleet_id(office: Office, name: str) -> str:
    fleets = await office.hub.hub.administration.fleets(office.hub.keys.tenant_id)
    return next(each.id for each in fleets if each.name == name)


async def test_a_fleet_is_made_and_renamed_and_goes_when_it_is_empty(shared_office: Office) -> None:
    owner = shared_office.owner
    answer = await owner.submit(FLEETS, f"{FLEETS}/create", name="north")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{FLEETS}?done=fleet-made")
    north = await fleet_id(shared_office, "north")
    answer = await owner.submit(FLEETS, f"{FLEETS}/{north}/rename", name="default")
    assert answer.status_code == 400
    assert "The tenant has a fleet of this name." in answer.text
    assert (await owner.submit(FLEETS, f"{FLEETS}/{north}/rename", name="far north")).status_code == 303
    answer = await owner.submit(FLEETS, f"{FLEETS}/{north}/delete")
    assert answer.headers["location"] == f"{FLEETS}?done=fleet-deleted"
    assert "far north" not in await owner.open(FLEETS)
    assert "A tenant keeps at least one fleet" in await owner.open(FLEETS)


async def test_a_fleet_with_agents_stays_and_its_agents_can_move(shared_office: Office, tab: Tab) -> None:
    owner = shared_office.owner
    await owner.submit(FLEETS, f"{FLEETS}/create", name="south")
    south, page = await fleet_id(shared_office, "south"), tab.page
    async with shared_office.agent("mover") as agent:
        agent_id = (await agent.join())["agent_id"]
        await page.goto(f"/dashboard/agents/{agent_id}")
        await page.get_by_text("Move …").click()
        await page.get_by_label("To the fleet").select_option("south")
        await page.get_by_role("button", name="Move the agent").click()
        await expect(page.get_by_text("The agent was moved.")).to_be_visible()
        await expect(page.get_by_label("Fleet", exact=True)).to_have_value(south)
    answer = await owner.post(f"{FLEETS}/{south}/delete", _csrf=await owner.token())
    assert answer.status_code == 400
    assert "The fleet has agents." in answer.text
    await shared_office.hub.hub.administration.delete_agent(shared_office.operator, agent_id)
    assert (await owner.submit(FLEETS, f"{FLEETS}/{south}/delete")).status_code == 303


async def test_a_tab_whose_fleet_is_deleted_says_so(shared_office: Office, tab: Tab) -> None:
    await shared_office.owner.submit(FLEETS, f"{FLEETS}/create", name="east")
    east = await fleet_id(shared_office, "east")
    await tab.page.goto(f"/dashboard?fleet={east}")
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    assert (await shared_office.owner.submit(FLEETS, f"{FLEETS}/{east}/delete")).status_code == 303
    await expect(tab.page.get_by_text("There is no such fleet.")).to_be_visible()


async def test_past_the_plan_it_says_so(shared_office: Office) -> None:
    owner = shared_office.owner
    for name in ("one", "two"):
        assert (await owner.submit(FLEETS, f"{FLEETS}/create", name=name)).status_code == 303
    answer = await owner.submit(FLEETS, f"{FLEETS}/create", name="three")
    assert answer.status_code == 400
    assert "Fleets: all 3 of your plan are used. Delete some, or take a larger plan." in answer.text
    assert 'value="three"' in answer.text
    for name in ("one", "two"):
        await owner.submit(FLEETS, f"{FLEETS}/{await fleet_id(shared_office, name)}/delete")


async def test_a_person_with_two_fleets_and_two_tenants_switches(shared_office: Office, shared_browser: Browser) -> None:
    """The way of somebody who has a tenant of their own and is invited to another one with two fleets."""
    owner = shared_office.owner
    await owner.submit(FLEETS, f"{FLEETS}/create", name="west")
    west = await fleet_id(shared_office, "west")
    invited = (await owner.submit("/team", "/team/invites", role="member", email="", max_uses="1", days="7")).text
    visitor = await shared_office.newcomer("tess@example.org")
    code = re.findall(r"invite=([a-z2-7-]+)", invited)[0]
    own = re.findall(r'class="hint">([^<]+)</span></span></summary>', await visitor.open("/dashboard"))[0]
    assert (await visitor.post("/account/join", _csrf=await visitor.token(), code=code)).status_code == 303
    async with shared_office.agent("ada") as ada:
        agent_id = (await ada.join())["agent_id"]
        window = await signed_in(shared_browser, visitor)
        tab = Tab(await window.new_page())
        page, fleets = tab.page, tab.page.get_by_label("Fleet", exact=True)
        await page.goto(f"/dashboard/agents/{agent_id}")
        await fleets.select_option("west")  # from the page of an agent that is not there: to the others
        await page.wait_for_url(f"**/dashboard/agents?fleet={west}")
        await page.get_by_role("link", name="Memory").click()
        await page.wait_for_url(f"**/dashboard/memory?fleet={west}")
        await page.reload()
        await expect(fleets).to_have_value(west)
        await page.goto(f"/dashboard/agents/{agent_id}?fleet={west}")  # a link to an agent leads to its own fleet
        await expect(page.get_by_role("heading", name="ada")).to_be_visible()
        await expect(fleets).not_to_have_value(west)
        await page.locator("summary", has_text="Tess").click()
        await page.get_by_label("Tenant", exact=True).select_option(label=own)
        await expect(page.locator("summary", has_text="Tess")).to_contain_text(own)
        await expect(fleets).to_have_count(0)
        assert tab.complaints == []
        answer = await page.goto(f"/dashboard?fleet={west}")  # of the tenant that they do not look at
        assert answer is not None
        assert answer.status == 404
        await window.close()
    await visitor.client.aclose()
    await owner.submit(FLEETS, f"{FLEETS}/{west}/delete")
