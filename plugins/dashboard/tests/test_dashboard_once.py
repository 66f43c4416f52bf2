"""A form that is sent twice, by a second click or a reload, does its thing once; a new one does it anew."""

from __future__ import annotations

import asyncio
import re
from collections import Counter

import httpx
import pytest
from dashboard_visitor import Office, hidden, signed_in
from playwright.async_api import Browser, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = re.compile(r"rf_(?:live|test|admin)_\w{32}")


async def send_twice(office: Office, page: str, action: str, **fields: str) -> list[httpx.Response]:
    """The same form, as it was drawn once."""
    form = {**hidden(await office.owner.open(page), action), **fields}
    return await asyncio.gather(*(office.owner.post(action, **form) for _ in range(2)))


async def deeds(office: Office) -> Counter[str]:
    return Counter(each.action for each in await office.hub.hub.administration.audit(office.hub.keys.tenant_id, limit=200))


@pytest.mark.parametrize(
    ("page", "action", "fields"),
    [
        ("/dashboard/keys", "/dashboard/keys/create", {"kind": "live", "name": "twice", "fleet_id": "", "days": "0"}),
        ("/dashboard/add-agent", "/dashboard/add-agent/make", {"name": "twice", "capabilities": ""}),
    ],
)
async def test_a_key_is_made_once_and_both_answers_show_it(
    shared_office: Office, page: str, action: str, fields: dict[str, str]
) -> None:
    """A browser shows the answer to the second click, whatever the first one brought."""
    before = await deeds(shared_office)
    first, second = await send_twice(shared_office, page, action, **fields)
    assert KEY.findall(first.text) == KEY.findall(second.text) != []
    assert (await deeds(shared_office) - before)["api_key.created"] == 1
    again = await shared_office.owner.submit(page, action, **fields)  # the same words on a page that was opened anew
    assert KEY.findall(again.text) != KEY.findall(first.text)


async def test_a_key_is_replaced_once(shared_office: Office) -> None:
    key = await shared_office.hub.hub.administration.create_key(shared_office.operator, kind="live", name="old")
    keys = "/dashboard/keys"
    first, second = await send_twice(shared_office, keys, f"{keys}/{key.id}/rotate", grace_hours="24")
    assert KEY.findall(first.text) == KEY.findall(second.text) != []


async def test_a_fleet_is_made_once_and_deleted_once(shared_office: Office) -> None:
    fleets, before = "/dashboard/fleets", await deeds(shared_office)
    answers = await send_twice(shared_office, fleets, f"{fleets}/create", name="north")
    assert [each.status_code for each in answers] == [303, 303]
    made = (await shared_office.hub.hub.administration.fleets(shared_office.hub.keys.tenant_id))[-1]
    assert made.name == "north"
    answers = await send_twice(shared_office, f"{fleets}?fleet={made.id}", f"{fleets}/{made.id}/delete")
    assert [each.headers.get("location") for each in answers] == [f"{fleets}?done=fleet-deleted"] * 2
    assert (await deeds(shared_office) - before) == {"fleet.created": 1, "fleet.deleted": 1}


async def test_an_entry_is_saved_once(shared_office: Office) -> None:
    entry, save = "/dashboard/memory/entry", "/dashboard/memory/save"
    answers = await send_twice(shared_office, entry, save, key="once", value="text", tags="")
    assert [each.status_code for each in answers] == [303, 303]
    assert "Version 1" in await shared_office.owner.open(f"{entry}?key=once")


async def test_a_message_is_sent_once_and_the_same_words_again_when_they_are_meant(
    shared_office: Office, shared_browser: Browser
) -> None:
    """Without a script, and with one."""
    async with shared_office.agent("ada") as ada:
        path = f"/dashboard/messages/{(await ada.join())['agent_id']}"
        for _ in range(2):
            answers = await send_twice(shared_office, path, f"{path}/send", text="hello")
            assert [each.headers.get("location") for each in answers] == [path, path]
        window = await signed_in(shared_browser, shared_office.owner)
        page = await window.new_page()
        await page.goto(path)
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        for number in (3, 4):
            await page.get_by_label("Message").fill("hello")
            await page.get_by_role("button", name="Send").dblclick()
            await expect(page.locator(".message.own")).to_have_count(number)
            await expect(page.get_by_label("Message")).to_have_value("")
        await window.close()
        office = shared_office.hub
        history = await office.hub.administration.say(
            shared_office.operator, office.keys.fleet_id, "direct:history", {"with": path.rpartition("/")[2]}
        )
        assert len(history["messages"]) == 4


async def test_a_double_click_without_a_script_makes_one_key(shared_office: Office, shared_browser: Browser) -> None:
    window = await signed_in(shared_browser, shared_office.owner, java_script_enabled=False)
    page, before = await window.new_page(), await deeds(shared_office)
    await page.goto("/dashboard/keys")
    await page.get_by_label("Name").last.fill("clicked twice")
    await page.get_by_role("button", name="Make the key").dblclick()
    await expect(page.locator("#new-key")).to_contain_text("rf_live_")
    shown = await page.locator("#new-key").inner_text()
    await page.reload()
    await expect(page.locator("#new-key")).to_have_text(shown)
    assert (await deeds(shared_office) - before)["api_key.created"] == 1
    await window.close()


async def test_gone_back_to_and_changed_a_form_is_another_one(shared_office: Office) -> None:
    fleets, before = "/dashboard/fleets", await deeds(shared_office)
    form = hidden(await shared_office.owner.open(fleets), f"{fleets}/create")
    for name in ("first", "second"):
        answer = await shared_office.owner.post(f"{fleets}/create", **form, name=name)
        assert answer.status_code == 303, answer.text
    assert (await deeds(shared_office) - before)["fleet.created"] == 2
