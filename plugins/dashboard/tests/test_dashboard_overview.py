"""The overview: how much happens, by the minute and live, and what needs attention."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, expect
from ringforge_dashboard.chart import draw, round_up
from ringforge_dashboard.pages.overview import way_to

from ringforge_core.errors import LimitReached
from ringforge_core.plugin import Concern
from ringforge_core.plugin.records import Minute
from ringforge_core.plugin.schema import metadata
from ringforge_core.ports.store import Transaction

pytestmark = pytest.mark.asyncio(loop_scope="module")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


async def test_the_picture_grows_as_agents_act(shared_office: Office, shared_browser: Browser) -> None:
    """A quiet fleet is explained; then the bars come without a reload, also that of a message."""
    fleet = await shared_office.hub.hub.administration.create_fleet(shared_office.operator, "quiet")
    key = await shared_office.hub.hub.administration.create_key(shared_office.operator, kind="live", fleet_id=fleet.id)
    window = await signed_in(shared_browser, shared_office.owner)
    tab = Tab(await window.new_page())
    await tab.page.goto(f"/dashboard?fleet={fleet.id}")
    await expect(tab.page.get_by_text("A quiet hour")).to_be_visible()
    await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
    async with shared_office.agent("ada", key=key.key) as ada:
        await ada.join()
        for number in range(3):
            await ada.ok("activity:broadcast", {"kind": "custom", "description": str(number)})
        picture = tab.page.get_by_role("img", name=re.compile("Events each minute of the last hour"))
        await expect(picture).to_have_attribute("aria-label", re.compile(r": 3 in all, of which 0 were messages"))
        await ada.ok("direct:send", {"to": "dashboard", "message": {"text": "hello"}})
        await expect(picture).to_have_attribute("aria-label", re.compile(r"of which 1 were messages"))
        await expect(tab.page.locator("rect.messages").first).to_be_attached()
    assert tab.complaints == []
    await window.close()


async def test_what_needs_attention_is_named_with_its_way_there(shared_office: Office) -> None:
    office, administration = shared_office, shared_office.hub.hub.administration
    assert "Needs attention" not in await office.owner.open("/dashboard")
    async with office.agent("lazy") as lazy, office.agent("rogue") as rogue:
        lazy_id, rogue_id = (await lazy.join())["agent_id"], (await rogue.join())["agent_id"]
    await administration.kick_agent(office.operator, rogue_id, block=True)
    ends = datetime.now(UTC) + timedelta(days=3)
    await administration.create_key(office.operator, kind="live", name="short-lived", expires_at=ends)
    message = {"to": lazy_id, "message": {"text": "hello"}}
    await administration.say(office.operator, office.hub.keys.fleet_id, "direct:send", message)
    await office.hub.hub.store.apply(make_older, office.hub.keys.tenant_id)
    page = await office.owner.open("/dashboard")
    assert re.search(rf'href="/dashboard/messages/{lazy_id}"><strong>lazy</strong></a>.*?: 1 waits', page)
    assert re.search(rf'href="/dashboard/agents/{rogue_id}"><strong>rogue</strong></a>.*?is blocked', page)
    assert re.search(r'href="/dashboard/keys"><strong>short-lived</strong></a>', page)


@pytest.mark.parametrize(
    ("more", "way"),
    [({"agent_id": "ag_1"}, "/dashboard/agents/ag_1"), ({"agent_id": "ag_1", "path": "/jobs"}, "/jobs"), ({}, None)],
)
async def test_what_a_plugin_tells_leads_to_its_page_or_to_the_agent(more: dict[str, str], way: str | None) -> None:
    assert way_to(Concern(kind="job_failed", title="nightly", text="failed", **more)) == way


def make_older(tx: Transaction, tenant_ids: Sequence[str]) -> list[None]:
    letters = metadata.tables["inbox_letters"]
    before = datetime.now(UTC) - timedelta(minutes=3)
    for tenant_id in tenant_ids:
        tx.execute(sa.update(letters).where(letters.c.tenant_id == tenant_id).values(at=before))
    return [None] * len(tenant_ids)


async def test_too_fast_and_too_much_is_said_in_words(shared_office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written is still there."""
    office = shared_office
    async with office.agent("ada") as ada:
        path = f"/dashboard/messages/{(await ada.join())['agent_id']}"
        with monkeypatch.context() as patch:
            patch.setattr(type(office.hub.hub.relay), "backlog", 1_000_000)
            answer = await office.owner.submit(path, f"{path}/send", text="remember me")
        assert answer.status_code == 503
        assert "its event bus does not keep up. Send it again soon." in answer.text
        assert ">remember me</textarea>" in answer.text
        with pytest.raises(LimitReached):
            await write_on_and_on(office, path.rpartition("/")[2])
        answer = await office.owner.submit(path, f"{path}/send", text="remember me")
        assert answer.status_code == 429
        assert re.search(r"That was too fast for your plan. Send it again in \d+ s.", answer.text)
        assert ">remember me</textarea>" in answer.text


async def write_on_and_on(office: Office, to: str) -> None:
    """As the owner: a hundred messages a minute are an agent's."""
    query = sa.select(metadata.tables["users"].c.id).limit(1)
    user_id = await office.hub.hub.store.read(lambda connection: connection.execute(query).scalar_one())
    owner = msgspec.structs.replace(office.operator, user_id=user_id)
    message = {"to": to, "message": {"text": "hello"}}
    for _ in range(200):
        await office.hub.hub.administration.say(owner, office.hub.keys.fleet_id, "direct:send", message)


async def test_a_bar_is_as_high_as_its_minute(shared_office: Office) -> None:
    pace = [Minute(NOON + timedelta(minutes=number), *counts) for number, counts in enumerate([(0, 0), (40, 10), (1, 0)])]
    chart = draw(pace)
    assert (chart.scale, chart.events, chart.messages, chart.busiest) == (50, 41, 10, pace[1])
    assert [(bar.x, bar.events, bar.messages) for bar in chart.bars] == [(11, 80.0, 20.0), (21, 2.0, 0)]
    assert [round_up(number) for number in (0, 10, 11, 51, 2001)] == [10, 10, 20, 100, 5000]
