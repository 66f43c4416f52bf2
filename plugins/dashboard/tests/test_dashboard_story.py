"""One person's whole way in a real browser, with real mail, a real provider, a real agent, and a hub that is killed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from accounts_browser import Mailbox, smtp_server
from dashboard_visitor import PASSWORD, SETTINGS, Tab, chromium
from oauth_peers import SECRET, oidc_provider
from playwright.async_api import Page, expect
from ringforge import Agent

from ringforge_core.testkit.hub_process import HubProcess, free_port

EMAIL = "ada@example.org"
OUTAGE = "Failed to load resource: net::ERR_"
"""What the browser itself says while nobody answers."""


class Story:
    """Ada, her browser, her mail and the hub."""

    def __init__(self, hub: HubProcess, mailbox: Mailbox, tab: Tab) -> None:
        self.hub = hub
        self.mailbox = mailbox
        self.tab = tab
        self.page: Page = tab.page
        self._mails = 0
        self._answers: list[str] = []
        self.page.on("response", lambda answer: self._answers.append(urlsplit(answer.url).path))

    async def open_mail(self) -> None:
        """Follow the link of the next mail."""
        self._mails += 1
        await self.page.goto(await self.mailbox.link(EMAIL, self._mails))

    async def register(self) -> None:
        await self.page.goto("/auth/login")
        await self.page.get_by_role("link", name="Register").click()
        await self.page.get_by_label("Name").fill("Ada")
        await self.page.get_by_label("E-mail").fill(EMAIL)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Register").click()
        await self.open_mail()
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Confirm").click()
        await self.is_signed_in()

    async def sign_out(self) -> None:
        await self.page.goto("/dashboard")
        await self.page.locator("summary", has_text="Ada").click()
        await self.page.get_by_role("button", name="Sign out").click()
        await self.page.wait_for_url("**/auth/login*")

    async def sign_in_by_password(self) -> None:
        await self.page.get_by_label("E-mail").first.fill(EMAIL)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in", exact=True).click()
        await self.is_signed_in()

    async def sign_in_by_mail(self) -> None:
        form = self.page.locator("form", has=self.page.get_by_role("button", name="Send me a link"))
        await form.get_by_label("E-mail").fill(EMAIL)
        await form.get_by_role("button").click()
        await self.open_mail()
        await self.page.get_by_role("button", name="Sign in").click()
        await self.is_signed_in()

    async def sign_in_at_the_provider(self) -> None:
        await self.page.get_by_role("button", name="Sign in with the house").click()
        await self.is_signed_in()

    async def connect_the_provider(self) -> None:
        await self.page.goto("/account")
        await self.page.get_by_role("button", name="Connect the house").click()
        await expect(self.page.get_by_role("button", name="Disconnect").last).to_be_visible()

    async def is_signed_in(self) -> None:
        """As herself, wherever that leads."""
        await self.page.wait_for_url(lambda url: not urlsplit(url).path.startswith(("/auth", "/interaction")))
        await self.page.goto("/dashboard")
        await expect(self.page.locator("summary", has_text="Ada")).to_be_visible()

    async def make_a_key(self, name: str) -> str:
        """Through the wizard, whose page then waits for the agent."""
        await self.page.get_by_role("link", name="Add an agent").first.click()
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_role("button", name="Make a key").click()
        await expect(self.page.get_by_text("Live", exact=True)).to_be_visible()
        return re.findall(r"rf_live_\w{32}", await self.page.locator("#new-key").inner_text())[0]

    async def talk(self) -> None:
        """Write to the agent and see its answer, on one page."""
        await self.page.get_by_role("link", name="Write to it").click()
        await self.stays()
        await self.page.get_by_label("Message").fill("How is it going?")
        await self.page.get_by_role("button", name="Send").click()
        await expect(self.page.locator(".message.own .text")).to_have_text("How is it going?")
        await expect(self.page.locator(".message:not(.own) .text")).to_have_text("You wrote: How is it going?")
        await self.stayed()

    async def watch_while_the_hub_is_killed(self, agent: Agent) -> None:
        """What the agent tells before, meanwhile and after shows once and in order, and the page is not read anew."""
        await self.page.goto("/dashboard")
        await self.stays()
        await tell(agent, range(5))
        await self.shows(5)
        assert self.tab.complaints == []
        await self.page.context.set_offline(True)
        await self.hub.kill()
        await expect(self.page.get_by_text("Reconnecting …")).to_be_visible()
        telling = asyncio.create_task(tell(agent, range(5, 10)))
        await self.hub.start()
        await telling  # before the page is back
        await self.page.context.set_offline(False)
        await self.shows(10)
        await tell(agent, range(10, 12))
        await self.shows(12)
        await self.stayed()
        assert [each for each in self.tab.complaints if not each.startswith(OUTAGE)] == []
        self.tab.complaints.clear()

    async def shows(self, told: int) -> None:
        await expect(self.page.locator("#feed .text")).to_have_text([f"step {each}" for each in reversed(range(told))])

    async def stays(self) -> None:
        """From here on nothing of the page comes but over its stream: `stayed` looks whether that held."""
        await expect(self.page.get_by_text("Live", exact=True)).to_be_visible()
        self._answers.clear()

    async def stayed(self) -> None:
        assert urlsplit(self.page.url).path not in self._answers


def settings(mail_server: str, issuer: str) -> dict[str, str]:
    return {
        **SETTINGS,
        "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__SERVER": mail_server,
        "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__ENCRYPTION": "none",
        "RINGFORGE__AUTH__USE": "magic_link,oidc",
        "RINGFORGE__AUTH__OIDC__CLIENT_ID": "ringforge",
        "RINGFORGE__AUTH__OIDC__CLIENT_SECRET": SECRET,
        "RINGFORGE__AUTH__OIDC__ISSUER": issuer,
        "RINGFORGE__AUTH__OIDC__LABEL": "the house",
    }


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    async with smtp_server() as (mailbox, mail_server), chromium() as browser:
        port = free_port()
        hub = HubProcess(tmp_path, settings=settings(mail_server, f"http://127.0.0.1:{port}"))
        await hub.start()
        try:
            async with oidc_provider(port, f"{hub.http_url}/auth/oidc/callback") as issuer:
                window = await browser.new_context(base_url=hub.http_url)
                await window.add_cookies([{"name": "person", "value": quote(EMAIL), "url": issuer}])
                yield Story(hub, mailbox, Tab(await window.new_page()))
        finally:
            await hub.stop()


async def test_a_person_comes_and_their_agent_with_them(story: Story) -> None:
    await story.register()
    await story.sign_out()
    await story.sign_in_by_password()
    key = await story.make_a_key("crawler")
    async with answering_agent(story.hub, key, "crawler") as agent:
        await expect(story.page.get_by_text("crawler is connected.")).to_be_visible()
        await story.talk()
        await story.watch_while_the_hub_is_killed(agent)
        await story.sign_out()
        await story.sign_in_by_mail()
        await story.connect_the_provider()
        await story.sign_out()
        await story.sign_in_at_the_provider()
        await story.page.goto("/dashboard/agents")
        await expect(story.page.get_by_role("row", name="crawler")).to_contain_text("online")
    assert story.tab.complaints == []


@asynccontextmanager
async def answering_agent(hub: HubProcess, key: str, name: str) -> AsyncIterator[Agent]:
    async with Agent(hub.websocket_url, api_key=key, name=name, key_directory=None) as agent:

        async def answer() -> None:
            async for message in agent.dm:
                await message.reply({"text": f"You wrote: {message.content['text']}"})

        answering = asyncio.create_task(answer())
        try:
            yield agent
        finally:
            answering.cancel()


async def tell(agent: Agent, numbers: range) -> None:
    for number in numbers:
        await agent.activity.broadcast("task_progress", f"step {number}")
