"""A page in a real browser that is never reloaded: what happens in the fleet shows on it. The rest is in the story."""

from __future__ import annotations

import pytest
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_agents_come_change_and_go_without_a_reload(shared_office: Office, shared_browser: Browser) -> None:
    window = await signed_in(shared_browser, shared_office.owner)
    tab = Tab(await window.new_page())
    await tab.page.goto("/dashboard/agents")
    await expect(tab.page.get_by_text("Nobody is connected")).to_be_visible()
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    async with shared_office.agent("ada") as ada:
        await ada.join()
        row = tab.page.get_by_role("row", name="ada")
        await expect(row).to_contain_text("online")
        await expect(tab.page.get_by_text("Nobody is connected")).to_be_hidden()
        await ada.ok("presence:update", {"state": "busy", "task": "Counting <b>sheep</b>"})
        await expect(row).to_contain_text("Counting <b>sheep</b>")
        await expect(tab.page.locator("#online")).to_have_text("1")
    await expect(row).to_have_count(0)
    await expect(tab.page.locator("#online")).to_have_text("0")
    assert tab.complaints == []


async def test_activity_shows_as_it_happens(shared_office: Office, shared_browser: Browser) -> None:
    window = await signed_in(shared_browser, shared_office.owner)
    tab = Tab(await window.new_page())
    await tab.page.goto("/dashboard")
    await expect(tab.page.get_by_text("Nothing has happened yet")).to_be_visible()
    async with shared_office.agent("ada") as ada:
        await ada.join()
        for number in range(3):
            await ada.ok("activity:broadcast", {"kind": "discovery", "description": f"found {number}"})
        await expect(tab.page.locator("#feed .text")).to_have_text(["found 2", "found 1", "found 0"])
    assert tab.complaints == []
