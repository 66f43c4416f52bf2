"""Every page in a real browser: no complaint of its console, none of axe, in light and dark, and none too wide for a phone.

Dark differs in colours only, so axe looks at nothing but contrast there.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, Page

pytestmark = pytest.mark.asyncio(loop_scope="module")
SERIOUS = ("serious", "critical")
PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
PAGES = [
    "/dashboard",
    "/dashboard?fleet={other_fleet}",
    "/dashboard/agents",
    "/dashboard/agents?search=ada&state=online",
    "/dashboard/agents?fleet={other_fleet}",
    "/dashboard/agents/{agent_id}",
    "/dashboard/activity",
    "/dashboard/activity?kind=task_failed",
    "/dashboard/messages",
    "/dashboard/messages?search=nobody",
    "/dashboard/messages/{agent_id}",
    "/dashboard/keys",
    "/dashboard/memory",
    "/dashboard/memory/entry",
    "/dashboard/memory/entry?key=notes/today",
    "/dashboard/groups",
    "/dashboard/groups/{group_id}",
    "/dashboard/fleets",
    "/dashboard/usage",
    "/dashboard/audit",
    "/dashboard/add-agent",
]


@pytest_asyncio.fixture(loop_scope="module")
async def tab(shared_office: Office, shared_browser: Browser) -> AsyncIterator[Tab]:
    window = await signed_in(shared_browser, shared_office.owner)
    yield Tab(await window.new_page())
    await window.close()


async def test_every_page_is_accessible_and_calm(shared_office: Office, tab: Tab) -> None:
    office = shared_office
    other = await office.hub.hub.administration.create_fleet(office.operator, "an empty one")
    async with office.agent("ada", capabilities=["search"]) as ada:
        agent_id = (await ada.join())["agent_id"]
        await ada.ok("activity:broadcast", {"kind": "alert", "description": "hello", "tags": ["a"], "data": {"b": 1}})
        await ada.ok("memory:set", {"key": "notes/today", "value": {"a": [1]}})
        group_id = (await ada.ok("group:create", {"name": "squad"}))["group_id"]
        await ada.ok("direct:send", {"to": "dashboard", "message": {"text": "hello"}})
        for path in PAGES:
            answer = await tab.page.goto(path.format(agent_id=agent_id, group_id=group_id, other_fleet=other.id))
            assert answer is not None
            assert (path, answer.status) == (path, 200)
            await look_at(tab, path)


async def test_the_page_with_a_new_key_is_accessible(tab: Tab) -> None:
    await tab.page.goto("/dashboard/keys")
    await tab.page.get_by_label("Name").last.fill("crawler")
    await tab.page.get_by_role("button", name="Make the key").click()
    await tab.page.get_by_text("Keep it now").wait_for()
    await look_at(tab, "a new key")


async def test_the_steps_of_the_wizard_are_accessible(tab: Tab) -> None:
    await tab.page.goto("/dashboard/add-agent")
    await tab.page.get_by_label("Name").fill("scout")
    await tab.page.get_by_role("button", name="Make a key").click()
    await tab.page.get_by_text("Waiting for").wait_for()
    await look_at(tab, "how to connect")


async def test_a_form_that_was_refused_is_accessible(shared_office: Office, tab: Tab) -> None:
    await tab.page.goto("/dashboard/fleets")
    await tab.page.get_by_label("Name").last.fill(" ")
    await tab.page.get_by_role("button", name="Make the fleet").click()
    await tab.page.get_by_role("alert").wait_for()
    tab.complaints = [each for each in tab.complaints if "400" not in each]  # the browser tells of the status
    await look_at(tab, "a refused form")


async def look_at(tab: Tab, where: str) -> None:
    """With all of its parts open."""
    await tab.page.locator("main details").evaluate_all("all => all.forEach((each) => { each.open = true; })")
    assert await serious(tab.page, Axe()) == [], where
    await tab.page.emulate_media(color_scheme="dark")
    assert await serious(tab.page, None) == [], f"{where}, dark"
    await tab.page.emulate_media(color_scheme="light")
    await tab.page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a dict, as its documentation shows it
    too_wide = await tab.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert (where, too_wide) == (where, 0)
    await tab.page.set_viewport_size(LAPTOP)  # type: ignore[arg-type]  # as above
    assert (where, tab.complaints) == (where, [])


async def serious(page: Page, axe: Axe | None) -> list[Any]:
    """What axe finds; without one, the contrast, by the axe that is in the page already."""
    if axe is not None:
        found = (await axe.run(page)).response
    else:
        found = await page.evaluate("axe.run({runOnly: ['color-contrast']})")
    return [json.dumps(each)[:2000] for each in found["violations"] if each["impact"] in SERIOUS]
