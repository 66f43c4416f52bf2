"""The operator and an agent write to each other, with a script and without one."""

from __future__ import annotations

import pytest
from dashboard_visitor import Office, Tab, signed_in
from playwright.async_api import Browser, expect

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_conversation_goes_on_in_the_open_page(shared_office: Office, shared_browser: Browser) -> None:
    window = await signed_in(shared_browser, shared_office.owner)
    async with shared_office.agent("ada") as ada:
        agent_id = (await ada.join())["agent_id"]
        tab = Tab(await window.new_page())
        await tab.page.goto(f"/dashboard/messages/{agent_id}")
        await expect(tab.page.get_by_text("Live", exact=True)).to_be_visible()
        await tab.page.evaluate("window.neverReloaded = true")
        await tab.page.get_by_label("Message").fill("How <b>is</b> it going?")
        await tab.page.get_by_role("button", name="Send").click()
        message = (await ada.expect_push("direct:message"))["payload"]
        assert message["from"] == {"agent_id": "dashboard", "name": "Olga"}
        assert message["message"] == {"type": "text", "text": "How <b>is</b> it going?"}
        own = tab.page.locator(".message.own")
        await expect(own).to_contain_text("How <b>is</b> it going?")
        await expect(own).to_contain_text("delivered")
        await ada.ok("message:read", {"message_id": message["message_id"]})
        await expect(own).to_contain_text("read")
        await ada.ok("direct:send", {"to": "dashboard", "message": {"text": "Well, thanks."}})
        await expect(tab.page.locator(".message:not(.own)")).to_contain_text("Well, thanks.")
        await expect(tab.page.get_by_label("Message")).to_have_value("")
        assert await tab.page.evaluate("window.neverReloaded")
        assert tab.complaints == []
        await tab.page.reload()
        await expect(tab.page.locator(".message")).to_have_count(2)
        await expect(own).to_contain_text("read")


async def test_without_a_script_a_message_is_sent_by_the_form(shared_office: Office) -> None:
    async with shared_office.agent("ada") as ada:
        agent_id = (await ada.join())["agent_id"]
        path = f"/dashboard/messages/{agent_id}"
        answer = await shared_office.owner.submit(path, f"{path}/send", text="hello")
        assert (answer.status_code, answer.headers["location"]) == (303, path)
        assert (await ada.expect_push("direct:message"))["payload"]["message"]["text"] == "hello"
        answer = await shared_office.owner.submit(path, f"{path}/send", text=" ")
        assert answer.status_code == 400
        assert "There is nothing to send." in answer.text
