"""A thousand agents on the roster: the page is made fast, shows fast, and goes on living."""

from __future__ import annotations

import time

from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, expect

from ringforge_core.mesh.presence import PresenceCapability
from ringforge_core.mesh.presence.messages import RosterEntry

CROWD = 1000
SECONDS = 5.0
"""Far more than it takes; a machine that is busy with other tests must not fail this one."""


async def test_a_thousand_agents_stay_usable(office: Office, browser: Browser) -> None:
    presence = next(part for part in office.hub.hub.capabilities if isinstance(part, PresenceCapability))
    fleet_id = office.hub.keys.fleet_id
    for number in range(CROWD):  # as another hub tells of them
        presence._came_elsewhere("node-2", fleet_id, entry(number))
    await office.owner.open("/dashboard/agents")
    started = time.perf_counter()
    page = await office.owner.open("/dashboard/agents")
    made = time.perf_counter() - started
    window = await signed_in(browser, office.owner)
    tab = Tab(await window.new_page())
    started = time.perf_counter()
    await tab.page.goto("/dashboard/agents")
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    shown = time.perf_counter() - started
    started = time.perf_counter()
    presence._came_elsewhere("node-2", fleet_id, entry(7, task="Counting sheep"))
    await expect(tab.page.get_by_role("cell", name="Counting sheep")).to_be_visible()
    told = time.perf_counter() - started
    print(f"{len(page) // 1024} KiB made in {made:.3f} s, shown and live in {shown:.3f} s, a change shown in {told:.3f} s")
    assert page.count("<tr id=") == CROWD
    assert max(made, shown, told) < SECONDS
    assert tab.complaints == []


def entry(number: int, task: str | None = None) -> RosterEntry:
    return RosterEntry(
        agent_id=f"ag_{number:012}", name=f"agent-{number}", framework="langgraph", model=None, capabilities=["search"],
        state="busy" if number % 3 else "online", task=task, load=0.5, connected_at="2030-01-01T00:00:00.000000Z",
        node="node-2", region="local",
    )  # fmt: skip
