"""The wizard: nothing is made before it is confirmed, and the agent shows the moment it connects."""

from __future__ import annotations

import re

import pytest
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, Route, expect

from ringforge_core.testkit.phoenix_client import PhoenixClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_wizard_waits_for_the_agent_and_shows_it(shared_office: Office, shared_browser: Browser) -> None:
    window = await signed_in(shared_browser, shared_office.owner)
    tab = Tab(await window.new_page())
    before = await key_count(shared_office)
    await tab.page.goto("/dashboard")
    await tab.page.get_by_role("link", name="Add an agent").click()
    await tab.page.get_by_label("Name").fill('crawler "#{1}"')
    await tab.page.get_by_label("Capabilities").fill("search, python")
    assert await key_count(shared_office) == before
    await tab.page.get_by_role("button", name="Make a key").click()
    key = re.findall(r"rf_live_\w{32}", await tab.page.locator("#new-key").inner_text())[0]
    assert key not in tab.page.url
    assert await key_count(shared_office) == before + 1
    await expect(tab.page.get_by_text("Waiting for")).to_be_visible()
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    async with PhoenixClient(shared_office.hub.websocket_url, api_key=key, agent={"name": 'crawler "#{1}"'}) as agent:
        await agent.join()
        await expect(tab.page.get_by_text("is connected.")).to_be_visible()
        await tab.page.get_by_role("link", name="Write to it").click()
        await expect(tab.page.get_by_label("Message")).to_be_visible()
    assert tab.complaints == []


async def test_the_last_page_of_the_wizard_finds_the_agent_after_a_gap_too(
    shared_office: Office, shared_browser: Browser
) -> None:
    """It is the answer to a form, which cannot be read anew."""
    window = await signed_in(shared_browser, shared_office.owner)
    tab = Tab(await window.new_page())

    async def too_long_ago(route: Route) -> None:
        await route.continue_(url=re.sub(r"after=[^&]*", "after=strange%3A1", route.request.url))

    await tab.page.route(re.compile("/dashboard/live"), too_long_ago)
    await tab.page.goto("/dashboard/add-agent")
    await tab.page.get_by_label("Name").fill("crawler")
    await tab.page.get_by_role("button", name="Make a key").click()
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    async with shared_office.agent("crawler") as agent:
        await agent.join()
        await expect(tab.page.get_by_text("is connected.")).to_be_visible()
    assert tab.complaints == []


async def test_a_name_that_cannot_be_is_refused_and_no_key_is_made(shared_office: Office) -> None:
    path, before = "/dashboard/add-agent", await key_count(shared_office)
    answer = await shared_office.owner.submit(path, f"{path}/make", name=" ", capabilities="")
    assert answer.status_code == 400
    assert "1 to 100 printable characters" in answer.text
    assert await key_count(shared_office) == before


async def key_count(shared_office: Office) -> int:
    return len((await shared_office.hub.hub.administration.keys(shared_office.hub.keys.tenant_id)).items)
