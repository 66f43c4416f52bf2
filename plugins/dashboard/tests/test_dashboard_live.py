"""A page in a real browser that is never reloaded: what happens in the fleet shows on it."""

from __future__ import annotations

from pathlib import Path

from dashboard_visitor import SETTINGS, Office, Tab, Visitor, owner_link, signed_in
from playwright.async_api import Browser, expect

from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient


async def test_agents_come_change_and_go_without_a_reload(office: Office, browser: Browser) -> None:
    window = await signed_in(browser, office.owner)
    tab = Tab(await window.new_page())
    await tab.page.goto("/dashboard/agents")
    await expect(tab.page.get_by_text("Nobody is connected")).to_be_visible()
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    async with office.agent("ada") as ada:
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


async def test_activity_shows_as_it_happens(office: Office, browser: Browser) -> None:
    window = await signed_in(browser, office.owner)
    tab = Tab(await window.new_page())
    await tab.page.goto("/dashboard")
    await expect(tab.page.get_by_text("Nothing has happened yet")).to_be_visible()
    async with office.agent("ada") as ada:
        await ada.join()
        for number in range(3):
            await ada.ok("activity:broadcast", {"kind": "discovery", "description": f"found {number}"})
        await expect(tab.page.locator("#feed .text")).to_have_text(["found 2", "found 1", "found 0"])
    assert tab.complaints == []


async def test_a_page_goes_on_without_a_gap_when_the_hub_is_killed(tmp_path: Path, browser: Browser) -> None:
    """What is said while the page cannot hear it is there as soon as it hears again, once and in order."""
    hub = HubProcess(tmp_path, settings=SETTINGS)
    await hub.start()
    try:
        owner = Visitor(hub.http_url)
        await owner.become_owner(owner_link(hub))
        keys = await hub.bootstrap()
        window = await signed_in(browser, owner)
        page = await window.new_page()
        await page.goto("/dashboard")
        await page.evaluate("window.neverReloaded = true")
        said = 0
        for _ in range(2):
            said = await say(hub, keys.agent_key, said)
            await expect(page.locator("#feed .text")).to_have_text([str(number) for number in reversed(range(said))])
            await window.set_offline(True)
            await hub.kill()
            await expect(page.get_by_text("Reconnecting …")).to_be_visible()
            await hub.start()
            said = await say(hub, keys.agent_key, said)  # before the page is back
            await window.set_offline(False)
            shown = [str(number) for number in reversed(range(said))]
            await expect(page.locator("#feed .text")).to_have_text(shown, timeout=15_000)
        assert await page.evaluate("window.neverReloaded")
        await owner.client.aclose()
    finally:
        await hub.stop()


async def say(hub: HubProcess, key: str, said: int) -> int:
    async with PhoenixClient(hub.websocket_url, api_key=key, agent={"name": "ada"}) as ada:
        await ada.join()
        for number in range(said, said + 5):
            await ada.ok("activity:broadcast", {"kind": "custom", "description": str(number)})
    return said + 5
