"""What the tests of the dashboard use: a hub with people, an owner who is signed in, a browser that complains."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from accounts_browser import Mailbox, smtp_server
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect

from ringforge_core.plugin.administration import Operator
from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.hub_process import HubProcess
from ringforge_core.testkit.phoenix_client import PhoenixClient

CHROMIUM = shutil.which("chromium")
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PASSWORD = "copper lantern under seven bridges"
CAPABILITIES = "presence,activity,replay,memory,inbox,direct,groups,auth,profiles,fleets,accounts,dashboard"
SETTINGS = {"RINGFORGE__CAPABILITIES__USE": CAPABILITIES, "RINGFORGE__CAPABILITIES__ACCOUNTS__REGISTRATION": "self_serve"}
MAIL = "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL"
expect.set_options(timeout=20_000)  # milliseconds: the machine may have other work


class Visitor:
    """Somebody with a session, without a script."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.AsyncClient(base_url=url, headers={"accept": "text/html"}, timeout=10)

    async def become_owner(self, greeting: str) -> None:
        """Follow the link that the hub prints at its first start."""
        link = urlsplit(greeting.split()[-1])
        page = await self.client.get(f"{link.path}?{link.query}", follow_redirects=True)
        given = {"name": "Olga", "email": "olga@example.org", "password": PASSWORD}
        answer = await self.post("/auth/owner", **hidden(page.text, "/auth/owner"), **given)
        assert answer.status_code == 303, answer.text

    async def open(self, path: str, *, status: int = 200) -> str:
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text

    async def submit(self, page: str, action: str, **fields: str) -> httpx.Response:
        """Send the page's form for `action`, filled in."""
        return await self.post(action, **{**hidden(await self.open(page), action), **fields})

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.client.post(path, data=fields, headers={"origin": self.url, "sec-fetch-site": "same-origin"})

    async def token(self) -> str:
        found = re.search(r'name="_csrf" value="([^"]+)"', await self.open("/dashboard"))
        assert found is not None
        return found[1]


def hidden(page: str, action: str) -> dict[str, str]:
    """What the form that is sent to `action` holds already."""
    for form in re.findall(r"<form.*?</form>", page, re.DOTALL):
        if f'action="{action}"' in unescape(form):
            return {n: unescape(v) for n, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)}
    raise AssertionError(f"no form for {action}")


class Office:
    """A running hub whose first owner is signed in; what it mails comes into `mailbox`."""

    def __init__(self, hub: TestHub, owner: Visitor, mailbox: Mailbox) -> None:
        self.hub = hub
        self.owner = owner
        self.mailbox = mailbox

    def agent(self, name: str, *, key: str | None = None, **more: object) -> PhoenixClient:
        return PhoenixClient(self.hub.websocket_url, api_key=key or self.hub.keys.agent_key, agent={"name": name, **more})

    def visitor(self) -> Visitor:
        return Visitor(self.hub.http_url)

    @property
    def operator(self) -> Operator:
        """Somebody of the first tenant."""
        return Operator(tenant_id=self.hub.keys.tenant_id, user_id="user", name="Olga")

    async def newcomer(self, email: str) -> Visitor:
        """Somebody who registers: the owner of a tenant of their own."""
        visitor = self.visitor()
        given = {"name": email.partition("@")[0].title(), "email": email, "password": PASSWORD, "invite": ""}
        await visitor.submit("/auth/register", "/auth/register", **given)
        page = await visitor.open(await self.mailbox.link(email))
        answer = await visitor.post("/auth/verify", **hidden(page, "/auth/verify"), password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return visitor


@asynccontextmanager
async def running_office(directory: Path, **settings: str) -> AsyncIterator[Office]:
    async with smtp_server() as (mailbox, address):
        mail = {f"{MAIL}__SERVER": address, f"{MAIL}__ENCRYPTION": "none"}
        async with running_hub(directory, settings=SETTINGS | mail | settings) as hub:
            owner = Visitor(hub.http_url)
            accounts = next(part for part in hub.hub.capabilities if part.name == "accounts")
            await owner.become_owner(accounts.greeting(hub.http_url) or "")
            yield Office(hub, owner, mailbox)
            await owner.client.aclose()


def owner_link(hub: HubProcess) -> str:
    """The hub prints it at its first start."""
    return next(line for line in hub.log.read_text().splitlines() if "/auth/owner" in line)


class Tab:
    """A page in a real browser; `complaints` are what its console says."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium: `apt-get install chromium`")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        await browser.close()


async def signed_in(browser: Browser, visitor: Visitor, **options: object) -> BrowserContext:
    """A window with the visitor's session."""
    context = await browser.new_context(base_url=visitor.url, **options)  # type: ignore[arg-type]  # Playwright's options
    cookies = [{"name": each.name, "value": each.value or "", "url": visitor.url} for each in visitor.client.cookies.jar]
    await context.add_cookies(cookies)  # type: ignore[arg-type]  # dicts, as its documentation shows them
    return context
