"""Every page in a real browser: no complaint of its console, none of axe, in light and dark."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.async_playwright import Axe
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser

SERIOUS = ("serious", "critical")
PAGES = [
    "/dashboard",
    "/dashboard/agents",
    "/dashboard/agents/{agent_id}",
    "/dashboard/activity",
    "/dashboard/activity?kind=task_failed",
    "/dashboard/messages",
    "/dashboard/messages/{agent_id}",
    "/dashboard/keys",
    "/dashboard/memory",
    "/dashboard/memory/entry",
    "/dashboard/memory/entry?key=notes/today",
    "/dashboard/groups",
    "/dashboard/groups/{group_id}",
    "/dashboard/usage",
    "/dashboard/audit",
    "/dashboard/add-agent",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_is_accessible_and_calm(office: Office, browser: Browser, scheme: str) -> None:
    window = await signed_in(browser, office.owner, color_scheme=scheme)
    async with office.agent("ada", capabilities=["search"]) as ada:
        agent_id = (await ada.join())["agent_id"]
        await ada.ok("activity:broadcast", {"kind": "alert", "description": "hello", "tags": ["a"], "data": {"b": 1}})
        await ada.ok("memory:set", {"key": "notes/today", "value": {"a": [1]}})
        group_id = (await ada.ok("group:create", {"name": "squad"}))["group_id"]
        await ada.ok("direct:send", {"to": "dashboard", "message": {"text": "hello"}})
        for path in PAGES:
            tab = Tab(await window.new_page())
            answer = await tab.page.goto(path.format(agent_id=agent_id, group_id=group_id))
            assert answer is not None
            assert (path, answer.status) == (path, 200)
            for each in await tab.page.locator("main details").all():
                await each.evaluate("each => each.open = true")
            found = await Axe().run(tab.page)
            serious = [each for each in found.response["violations"] if each["impact"] in SERIOUS]
            assert serious == [], f"{path}: {json.dumps(serious, indent=1)[:3000]}"
            assert (path, tab.complaints) == (path, [])
            await tab.page.close()
