"""What the tests of accounts use: a hub with accounts, a mailbox on a real SMTP server, and a browser without a script."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from ringforge_accounts import Accounts

from ringforge_core.testkit.hub import TestHub, running_hub
from ringforge_core.testkit.hub_process import free_port

PASSWORD = "copper lantern under seven bridges"
DEADLINE = 20.0


class Mailbox:
    """Everybody's mail, as an SMTP server received it."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self._more = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's name
        content = envelope.content
        assert isinstance(content, bytes)
        message = BytesParser(policy=default).parsebytes(content)
        assert isinstance(message, EmailMessage)
        self._loop.call_soon_threadsafe(self._take, message)
        return "250 taken"

    def _take(self, message: EmailMessage) -> None:
        self.messages.append(message)
        self._more.set()

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.messages if str(message["To"]) == address]

    async def wait(self, address: str, count: int = 1) -> EmailMessage:
        """The newest mail to this address, once there are `count`."""
        async with asyncio.timeout(DEADLINE):
            while len(self.to(address)) < count:
                self._more.clear()
                await self._more.wait()
        return self.to(address)[-1]

    async def link(self, address: str, count: int = 1) -> str:
        """The path and query of the link in that mail."""
        found = re.search(r"https?://\S+", (await self.wait(address, count)).get_content())
        assert found is not None
        parts = urlsplit(found[0])
        return f"{parts.path}?{parts.query}"


@asynccontextmanager
async def smtp_server(port: int | None = None) -> AsyncIterator[tuple[Mailbox, str]]:
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port or free_port())
    controller.start()
    try:
        yield mailbox, f"127.0.0.1:{controller.port}"
    finally:
        controller.stop()


class Browser:
    """Keeps cookies, sends what a form holds, and shows where it landed. `others` are further headers of each request."""

    def __init__(self, url: str, **others: str) -> None:
        self.url = url
        headers = {"accept": "text/html", "user-agent": "test browser", **others}
        # Without authorities to read from the disk, which takes longer than a sign-in; the hub is on http.
        self.client = httpx.AsyncClient(base_url=url, headers=headers, timeout=DEADLINE, verify=False)  # noqa: S501 — as said

    async def open(self, path: str) -> httpx.Response:
        """A page, where redirects lead."""
        answer = await self.client.get(path, follow_redirects=True)
        self._look(answer)
        return answer

    async def submit(self, path: str, *, page: str | None = None, **fields: Any) -> httpx.Response:
        """Open the page, fill in the form that is sent to `path`, send it; the answer itself, not where it leads."""
        form = hidden_fields(await self.open(page or path), path)
        return await self.post(path, **{**form, **fields})

    async def post(self, path: str, **fields: Any) -> httpx.Response:
        """Send a form as it is."""
        answer = await self.client.post(path, data=fields, headers={"origin": self.url, "sec-fetch-site": "same-origin"})
        self._look(answer)
        return answer

    @property
    def session(self) -> str | None:
        return self.client.cookies.get("_hub_key")

    @property
    async def signed_in(self) -> bool:
        return (await self.client.get("/account")).status_code == 200

    def _look(self, answer: httpx.Response) -> None:
        """What holds for every page."""
        assert answer.status_code < 500, answer.text
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "style=" not in answer.text
        assert " onclick" not in answer.text


def hidden_fields(page: httpx.Response, action: str) -> dict[str, str]:
    """What the form that is sent to `action` holds already."""
    for form in re.findall(r"<form.*?</form>", page.text, re.DOTALL):
        if f'action="{action}"' in form:
            fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
            return {name: unescape(value) for name, value in fields}
    raise AssertionError(f"{page.url} has no form for {action}: {page.status_code}")


async def post_from(browser: Browser, page: str, path: str, **fields: Any) -> httpx.Response:
    """Send what the page does not offer, with its token: other ids, other fields, another form."""
    token = re.search(r'name="_csrf" value="([^"]+)"', (await browser.open(page)).text)
    assert token is not None
    return await browser.post(path, _csrf=token[1], **fields)


def problem(answer: httpx.Response) -> str:
    """The words of the notice about what is wrong."""
    found = re.search(r'role="alert"><p>(.*?)</p>', answer.text, re.DOTALL)
    assert found is not None, answer.text
    return unescape(found[1])


class People:
    """A running hub with accounts."""

    def __init__(self, hub: TestHub, mailbox: Mailbox) -> None:
        self.hub = hub
        self.mailbox = mailbox
        self.accounts = next(part for part in hub.hub.capabilities if isinstance(part, Accounts))
        self.browsers: list[Browser] = []

    def browser(self, **headers: str) -> Browser:
        browser = Browser(self.hub.http_url, **headers)
        self.browsers.append(browser)
        return browser

    async def close(self) -> None:
        for browser in self.browsers:
            await browser.client.aclose()

    @property
    def owner_path(self) -> str:
        greeting = self.accounts.greeting("") or ""
        return greeting.split()[-1]

    async def owner(self, email: str = "olga@example.org") -> Browser:
        """The first owner, signed in."""
        browser = self.browser()
        answer = await browser.submit("/auth/owner", page=self.owner_path, name="Olga", email=email, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return browser

    async def newcomer(self, email: str, invite: str = "", *, mails: int = 1) -> Browser:
        """Somebody who registers, confirms, and is signed in."""
        browser = self.browser()
        answer = await browser.submit(
            "/auth/register", name=email.partition("@")[0].title(), email=email, password=PASSWORD, invite=invite
        )
        assert answer.status_code == 200, problem(answer)
        path = await self.mailbox.link(email, mails)
        answer = await browser.submit("/auth/verify", page=path, password=PASSWORD)
        assert answer.status_code == 303, answer.text
        return browser

    async def signed_in(self, email: str, password: str = PASSWORD) -> Browser:
        browser = self.browser()
        answer = await browser.submit("/auth/login", email=email, password=password)
        assert answer.status_code == 303, problem(answer)
        return browser

    async def invitation(self, by: Browser, **fields: Any) -> str:
        """The code of a new invitation."""
        answer = await by.submit("/team/invites", page="/team", **{"role": "member", "max_uses": 1, "days": 7, **fields})
        found = re.search(r"invite=([a-z2-7-]+)", answer.text)
        assert found is not None, answer.text
        return found[1]


@asynccontextmanager
async def running_people(directory: Path, **settings: str) -> AsyncIterator[People]:
    """`settings` are those of [capabilities.accounts]."""
    async with smtp_server() as (mailbox, address):
        given = {
            "RINGFORGE__CAPABILITIES__USE": "presence,accounts",
            "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__SERVER": address,
            "RINGFORGE__CAPABILITIES__ACCOUNTS__MAIL__ENCRYPTION": "none",
        }
        for name, value in settings.items():
            core = name.startswith("RINGFORGE__")
            given[name if core else f"RINGFORGE__CAPABILITIES__ACCOUNTS__{name.upper()}"] = value
        async with running_hub(directory, settings=given) as hub:
            people = People(hub, mailbox)
            try:
                yield people
            finally:
                await people.close()
